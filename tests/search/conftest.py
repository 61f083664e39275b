"""A small study for tests of the search machine."""

from typing import Any

import pytest

from swarm.core.ids import PeerId
from swarm.search.study import StudySpec
from swarm.search.study_file import parse_study

ME, OTHER, THIRD = PeerId("me"), PeerId("other"), PeerId("third")


def make_study(**fields: Any) -> StudySpec:
    """A study of two models with conditional, integer, float and categorical dimensions."""
    document: dict[str, Any] = {
        "name": "study",
        "dataset": "iris",
        "num_trials": 12,
        "models": {
            "knn": {"n_neighbors": {"integer": [1, 9]}, "weights": ["uniform", "distance"]},
            "svm": {
                "kernel": ["linear", "rbf"],
                "C": {"float": [0.1, 10.0], "log": True},
                "gamma": {"float": [0.01, 1.0], "log": True, "when": {"kernel": "rbf"}},
                "max_iter": 500,
            },
        },
    }
    return parse_study({**document, **fields}, ME)


@pytest.fixture
def study() -> StudySpec:
    return make_study()
