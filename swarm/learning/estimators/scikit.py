"""Families from scikit-learn: each names its classes; this module fits and predicts."""

import importlib
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import LearningError
from swarm.learning.estimators.family import Estimator, Params, Problem, State
from swarm.learning.estimators.hyperparameters import Choice, Hyperparameter
from swarm.learning.estimators.objectives import Predictions
from swarm.learning.estimators.table_source import Kind

STANDARDISE = Choice("standardise", (True, False))
"""Scale each feature to mean 0 and deviation 1 by the training examples. It is the default of
families that measure distances or descend gradients."""
BOTH_KINDS: tuple[Kind, ...] = ("classification", "regression")


class ScikitModel:
    """One of scikit-learn's estimators, with the scaling of its features."""

    def __init__(
        self, estimator: Any, problem: Problem, *, standardise: bool, is_single: bool = False
    ) -> None:
        self._estimator = estimator
        self._problem = problem
        self._standardise = standardise
        self._is_single = is_single
        self._scaler: Any = None

    def train_epoch(self, x: NDArray[Any], y: NDArray[Any], epoch: int) -> float | None:
        """See `Estimator.train_epoch`; there is only one epoch."""
        flat = _flat(x)
        if epoch == 1 and self._standardise:
            self._scaler = importlib.import_module("sklearn.preprocessing").StandardScaler()
            self._scaler.fit(flat)
        elif self._is_single and self._problem.is_double and _loses_values(flat):
            self._scaler = _Ranks(flat)
        return self._fit(self._scaled(flat), y)

    def predict(self, x: NDArray[Any]) -> Predictions:
        """See `Estimator.predict`."""
        flat = self._scaled(_flat(x))
        if self._problem.kind == "classification" and hasattr(self._estimator, "predict_proba"):
            found = np.asarray(self._estimator.predict_proba(flat), np.float64)
            classes = np.asarray(self._estimator.classes_, np.int64)
            probabilities = np.zeros((len(flat), self._problem.num_classes))
            probabilities[:, classes] = found
            return Predictions(classes[found.argmax(axis=1)], probabilities)
        return Predictions(np.asarray(self._estimator.predict(flat)))

    def state(self) -> State | None:
        """None: the state is objects, and nothing here is pickled. Such trials are short."""
        return None

    def restore(self, state: State) -> None:
        """See `Estimator.restore`."""
        raise LearningError("models from scikit-learn have no checkpoints; restart the trial")

    def _fit(self, x: NDArray[np.float64], y: NDArray[Any]) -> float | None:
        self._estimator.fit(x, y)
        return None

    def _scaled(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x if self._scaler is None else np.asarray(self._scaler.transform(x))


class ScikitFamily(ABC):
    """A family whose estimators are fitted at once."""

    name: str
    hyperparameters: tuple[Hyperparameter, ...]
    kinds: tuple[Kind, ...] = BOTH_KINDS
    has_epochs = False
    model: type[ScikitModel] = ScikitModel
    """The class that wraps its estimators."""
    standardises = False
    """Whether features are standardised by default."""
    is_single = False
    """Whether it converts features to float32 and uses only their order, as trees do."""

    @abstractmethod
    def estimator(self, params: Params, problem: Problem, seed: int) -> Any:
        """Create scikit-learn's estimator; `standardise` is not in `params`."""

    def create(self, params: Params, problem: Problem, seed: int) -> Estimator:
        """See `Family.create`."""
        _configure()
        own = dict(params)
        standardise = bool(own.pop("standardise", self.standardises))
        return self.model(
            self.estimator(own, problem, seed),
            problem,
            standardise=standardise,
            is_single=self.is_single,
        )


def pick(problem: Problem, classifier: str, regressor: str) -> Any:
    """The class for this kind of problem; names as in "sklearn.tree:DecisionTreeClassifier"."""
    path = classifier if problem.kind == "classification" else regressor
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _flat(x: NDArray[Any]) -> NDArray[np.float64]:
    return x.reshape(len(x), -1).astype(np.float64)


class _Ranks:
    """Replaces features by their ranks among the training examples, which float32 can represent.

    Only for trees, which use only the order of values. A value between two others gets a rank
    between their ranks.
    """

    def __init__(self, x: NDArray[np.float64]) -> None:
        self._values = [np.unique(column) for column in x.T]

    def transform(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Ranks of the features of examples, counted from 0."""
        return np.stack(
            [
                np.interp(column, values, np.arange(len(values)))
                for column, values in zip(x.T, self._values, strict=True)
            ],
            axis=1,
        )


def _loses_values(x: NDArray[np.float64]) -> bool:
    """Whether float32 makes two values of a column equal, or one infinite."""
    with np.errstate(over="ignore"):
        single = x.astype(np.float32)
    if not np.isfinite(single).all():
        return True
    return any(
        len(np.unique(before)) > len(np.unique(after))
        for before, after in zip(x.T, single.T, strict=True)
    )


def _configure() -> None:
    """Skip checks that `tables` has done already; they take half of the time of a small fit."""
    importlib.import_module("sklearn").set_config(assume_finite=True)
