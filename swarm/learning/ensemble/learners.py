"""Learners by name: what a member fits on its own rows.

The network process checks names by this module, so scikit-learn is imported only to fit.

To add one, add an entry to `LEARNERS`, or write a class with `Learner`'s methods in a module of
your own and give it as `module:Class` (needs --allow-code).
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import ConfigurationError
from swarm.core.suggestions import did_you_mean
from swarm.learning.estimators import FAMILIES
from swarm.learning.estimators.family import Problem
from swarm.learning.estimators.scikit import ScikitFamily, pick

NUM_TREES = 500
"""Of gradient boosting; of several classes, all together."""
STAGES_MIN = 100


class Learner(Protocol):
    """A model that can be fitted: what a user's `module:Class` must have.

    The class is called without arguments. For its model to be stored, it keeps what it learnt in
    attributes that are numbers, texts, numpy arrays, lists and dicts of these, or estimators of
    scikit-learn.
    """

    def fit(self, x: NDArray[np.float64], y: NDArray[Any]) -> Any:
        """Fit to encoded rows of shape (n, features), and targets or class numbers (n,)."""

    def predict(self, x: NDArray[np.float64]) -> NDArray[Any]:
        """Targets of shape (n,)."""

    def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of a classification: probabilities (n, C) of the classes in `classes_`."""


@dataclass(frozen=True, slots=True)
class LearnerEntry:
    """A learner that has a name."""

    make: Callable[[Problem, int], Any]
    """An unfitted estimator for a problem, with a seed."""
    scale: bool = False
    """Whether features are scaled to deviation 1: where distances or gradients count."""
    kinds: tuple[str, ...] = ("regression", "classification")
    is_for_images: bool = False
    rows_per_class: int = 1
    """Rows that a class needs to be learnt; rarer ones are left out."""


def _family(name: str, params: dict[str, Any]) -> Callable[[Problem, int], Any]:
    """An estimator of the search's families, with parameters."""
    family = FAMILIES[name]
    assert isinstance(family, ScikitFamily)  # noqa: S101 - by name
    return lambda problem, seed: family.estimator(params, problem, seed)


def _scikit(
    classifier: str, regressor: str, *, seeded: bool = True, **params: Any
) -> Callable[[Problem, int], Any]:
    def make(problem: Problem, seed: int) -> Any:
        own = {"random_state": seed} if seeded else {}
        return pick(problem, classifier, regressor)(**params, **own)

    return make


def _boosting(problem: Problem, seed: int) -> Any:
    stages = NUM_TREES
    if problem.num_classes > 2:
        stages = max(STAGES_MIN, NUM_TREES // problem.num_classes)
    return _scikit(
        "sklearn.ensemble:GradientBoostingClassifier",
        "sklearn.ensemble:GradientBoostingRegressor",
        n_estimators=stages,
        learning_rate=0.05 if stages == NUM_TREES else 0.1,
        max_depth=3,
        subsample=0.5,
        max_features=0.2,
    )(problem, seed)


def _scaled_target(make: Callable[[Problem, int], Any]) -> Callable[[Problem, int], Any]:
    """The same learner of targets with mean 0 and deviation 1, where their scale matters."""

    def scaled(problem: Problem, seed: int) -> Any:
        if problem.num_classes:
            return make(problem, seed)
        compose = importlib.import_module("sklearn.compose")
        scaler = importlib.import_module("sklearn.preprocessing").StandardScaler()
        return compose.TransformedTargetRegressor(make(problem, seed), transformer=scaler)

    return scaled


def _keras(built_in: str) -> Callable[[Problem, int], Any]:
    def network(problem: Problem, seed: int) -> Any:
        module = importlib.import_module("swarm.learning.ensemble.keras_estimator")
        return module.KerasEstimator(built_in, problem.input_shape, problem.num_classes, seed)

    return network


def _neighbours(problem: Problem, seed: int) -> Any:
    estimator = _family("knn", {"n_neighbors": 10, "weights": "distance"})(problem, seed)
    # A tree of neighbours is an object of C code, which a model file had better not carry.
    return estimator.set_params(algorithm="brute")


LEARNERS: dict[str, LearnerEntry] = {
    "linear": LearnerEntry(
        _scikit("", "sklearn.linear_model:LinearRegression", seeded=False),
        scale=True,
        kinds=("regression",),
    ),
    "ridge": LearnerEntry(
        _scikit("", "sklearn.linear_model:Ridge", alpha=30.0), scale=True, kinds=("regression",)
    ),
    "tree": LearnerEntry(_family("dtree", {"min_samples_leaf": 5})),
    "forest": LearnerEntry(_family("forest", {"n_estimators": 200, "max_features": 0.33})),
    "gbr": LearnerEntry(_boosting),
    "hist": LearnerEntry(
        _scikit(
            "sklearn.ensemble:HistGradientBoostingClassifier",
            "sklearn.ensemble:HistGradientBoostingRegressor",
            learning_rate=0.05,
            max_iter=200,
            max_leaf_nodes=15,
            early_stopping=False,
        )
    ),
    "knn": LearnerEntry(_neighbours, scale=True),
    "logistic": LearnerEntry(
        _family("logreg", {"C": 0.1, "max_iter": 1000}), scale=True, kinds=("classification",)
    ),
    "svm": LearnerEntry(
        _scaled_target(_family("svm", {"gamma": "scale"})), scale=True, rows_per_class=3
    ),
    "mlp": LearnerEntry(
        _scaled_target(
            _scikit(
                "sklearn.neural_network:MLPClassifier",
                "sklearn.neural_network:MLPRegressor",
                hidden_layer_sizes=(64,),
                alpha=1.0,
                max_iter=100,
            )
        ),
        scale=True,
    ),
    "dummy": LearnerEntry(
        _scikit("sklearn.dummy:DummyClassifier", "sklearn.dummy:DummyRegressor", seeded=False)
    ),
    "keras-mlp": LearnerEntry(_keras("mlp"), scale=True),
    "keras-lenet": LearnerEntry(_keras("lenet"), is_for_images=True),
    "keras-cnn": LearnerEntry(_keras("cnn"), is_for_images=True),
}


def find_learner(name: str, kind: str, *, allow_code: bool = False) -> LearnerEntry:
    """The learner of this name.

    Args:
        name: A name of `LEARNERS`, or `module:Class`.
        kind: `regression` or `classification`.
        allow_code: Whether `module:Class` may be imported.

    Raises:
        ConfigurationError: There is none, it is for another kind, or code is not allowed.
    """
    if ":" in name:
        found = own_class(name, allow_code=allow_code)
        return LearnerEntry(lambda problem, seed: found(), scale=True)
    if name not in LEARNERS:
        raise ConfigurationError(
            f"learner must be one of {', '.join(LEARNERS)}, or module:Class, got {name!r:.60}"
            f"{did_you_mean(name, LEARNERS)}"
        )
    entry = LEARNERS[name]
    if kind not in entry.kinds:
        fitting = [other for other, one in LEARNERS.items() if kind in one.kinds]
        raise ConfigurationError(
            f"learner {name!r} is not for a {kind}; these are: {', '.join(fitting)}"
        )
    return entry


def own_class(name: str, *, allow_code: bool) -> type[Any]:
    """A user's own class, by `module:Class`.

    Raises:
        ConfigurationError: Code is not allowed, or there is no such class with `fit` and
            `predict`.
    """
    if not allow_code:
        raise ConfigurationError(f"learner {name!r:.80} is code: give --allow-code to run it")
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"learner {name!r:.80} cannot be imported: {error}") from error
    if not isinstance(found, type) or not (hasattr(found, "fit") and hasattr(found, "predict")):
        raise ConfigurationError(f"learner {name!r:.80} must be a class with fit and predict")
    return found
