"""Study files: their meaning, and the field that an error names."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.search.space import CATEGORICAL, FLOAT, INTEGER
from swarm.search.study_file import data_file, parse_study
from tests.search.conftest import ME, make_study


def test_lists_are_choices_tables_are_ranges_and_values_are_fixed() -> None:
    knn, svm = make_study().models

    assert [d.kind for d in knn.dimensions] == [INTEGER, CATEGORICAL]
    assert [d.kind for d in svm.dimensions] == [CATEGORICAL, FLOAT, FLOAT]
    assert svm.fixed == (("max_iter", 500),)


def test_equal_files_are_one_study_and_the_submitter_counts() -> None:
    document = {"name": "a", "dataset": "iris", "num_trials": 1, "models": {"knn": {}}}

    assert parse_study(document, ME).id == parse_study(dict(document), ME).id
    assert parse_study(document, ME).id != parse_study(document, PeerId("else")).id


@pytest.mark.parametrize(
    ("objective", "direction"), [("accuracy", "maximize"), ("log_loss", "minimize")]
)
def test_the_direction_follows_the_objective(objective: str, direction: str) -> None:
    assert make_study(objective=objective).direction == direction


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"folds": "3"}, "folds: must be a whole number, got '3'$"),
        ({"num_trials": True}, "num_trials: must be a whole number, got True$"),
        ({"num_trials": 10**400}, "num_trials: must fit in 64 bits, got 1000"),
        ({"seed": 10**9999}, "seed: must fit in 64 bits, got a number of thousands"),
        ({"time_budget_s": 10**400}, "time_budget_s: must fit in 64 bits"),
        (
            {"models": {"knn": {"n": {"integer": [1, 10**400]}}}},
            r"models.knn.n.integer\[1\]: must",
        ),
        ({"models": {"knn": {"n": [10**400]}}}, r"models.knn.n.choices\[0\]: must fit in 64 bits"),
        ({"folds": 99}, "folds must be in"),
        ({"num_trials": 0}, "num_trials or time_budget_s must be given"),
        ({"tirals": 3}, "tirals: unknown field"),
        ({"dataset": "mnist"}, "dataset must be one of"),
        ({"objective": "beauty"}, "objective must be one of"),
        ({"models": {}}, "models: must name at least one"),
        ({"models": {"knm": {}}}, "models.knm: unknown model"),
        ({"models": {"knn": 3}}, "models.knn: must be a table"),
        ({"models": {"knn": {"n": {"integer": [5, 1]}}}}, "models.knn.n: low must be at most"),
        ({"models": {"knn": {"n": {"integer": [5]}}}}, "models.knn.n.integer: must be"),
        ({"models": {"knn": {"n": {"integer": [1, "x"]}}}}, r"models.knn.n.integer\[1\]: must"),
        ({"models": {"knn": {"n": {"intger": [1, 2]}}}}, "models.knn.n.intger: unknown"),
        ({"models": {"knn": {"n": [1, [2]]}}}, r"models.knn.n.choices\[1\]: must be a number"),
        ({"models": {"knn": {"n": {"choices": [1], "when": 3}}}}, "models.knn.n.when: must name"),
        (
            {"models": {"knn": {"n": [1], "m": {"choices": [1], "when": {"x": 1}}}}},
            "models.knn: m",
        ),
        ({"strategy": {"nme": "grid"}}, "strategy: must be a name"),
        ({"strategy": "simulated annealing"}, "strategy must be one of"),
        ({"data": "mine.csv"}, "data: must not be given with a dataset, got "),
    ],
)
def test_a_wrong_file_is_refused_with_the_path_of_the_field(
    fields: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{path}"):
        make_study(**fields)


def test_the_submitter_s_data_is_sent_as_a_blob() -> None:
    blob = BlobRef(sha256_hex(b"x,class\n"), 8)
    document = {"name": "a", "num_trials": 1, "models": {"knn": {}}, "data": "mine.csv"}

    spec = parse_study({**document, "target": "class"}, ME, blob)

    assert (spec.dataset, spec.data, spec.data_format) == ("file", blob, "csv")
    with pytest.raises(ConfigurationError, match=r"^target: must name the column"):
        parse_study(document, ME, blob)
    with pytest.raises(ConfigurationError, match=r"^data: must end in \.npz, \.csv, .* got "):
        parse_study({**document, "data": "mine.pickle"}, ME, blob)


def test_numpy_scalars_are_accepted_as_python_numbers() -> None:
    space = {
        "n": [np.int64(3), np.float64(0.5), np.bool_(True)],
        "m": {"float": [np.float32(0.5), np.int32(2)]},
        "k": np.int64(7),
    }

    (model,) = make_study(num_trials=np.int64(4), models={"knn": space}).models

    assert [type(value) for value in model.dimensions[0].choices] == [int, float, bool]
    assert model.dimensions[0].choices == (3, 0.5, True)
    assert (model.dimensions[1].low, model.dimensions[1].high) == (0.5, 2.0)
    assert model.fixed == (("k", 7),)
    with pytest.raises(ConfigurationError, match=r"^models\.knn\.n: must be a number"):
        make_study(models={"knn": {"n": np.arange(3)}})


@pytest.mark.parametrize("call", [data_file, lambda document: parse_study(document, ME)])
def test_a_path_is_refused_as_a_study(call: Callable[[Any], Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"must be a dict .* got 'study\.toml'; tomllib"):
        call("study.toml")
