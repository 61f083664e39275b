"""Families from scikit-learn: each names its estimators; this module fits and asks them."""

import importlib
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import LearningError
from swarm.learning.estimators.family import Estimator, Params, Problem, State
from swarm.learning.estimators.hyperparameters import Choice, Hyperparameter
from swarm.learning.estimators.objectives import Predictions
from swarm.learning.tables.table_source import Kind

STANDARDISE = Choice("standardise", (True, False))
"""Scale each feature to mean 0 and deviation 1, by the fold's training examples; the default of
families that measure distances or descend gradients."""
BOTH_KINDS: tuple[Kind, ...] = ("classification", "regression")


class ScikitFamily(ABC):
    """A family whose models are fitted at once."""

    name: str
    hyperparameters: tuple[Hyperparameter, ...]
    kinds: tuple[Kind, ...] = BOTH_KINDS
    has_epochs = False
    standardises = False
    """Whether features are standardised unless the trial says otherwise."""
    is_single = False
    """Whether its estimators cut features to float32, and ask for no more than their order."""

    @abstractmethod
    def estimator(self, params: Params, problem: Problem, seed: int) -> Any:
        """Make the estimator; `params` lacks `standardise`."""

    def create(self, params: Params, problem: Problem, seed: int) -> Estimator:
        """See `Family.create`."""
        _configure()
        own = dict(params)
        standardise = bool(own.pop("standardise", self.standardises))
        return ScikitModel(
            self.estimator(own, problem, seed),
            problem,
            standardise=standardise,
            is_single=self.is_single,
        )


class ScikitModel:
    """An estimator on one fold."""

    def __init__(
        self, estimator: Any, problem: Problem, *, standardise: bool, is_single: bool = False
    ) -> None:
        self._estimator = estimator
        self._problem = problem
        self._standardise = standardise
        self._is_single = is_single
        self._scaler: Any = None

    def train_epoch(self, x: NDArray[Any], y: NDArray[Any], epoch: int) -> float | None:
        """See `Estimator.train_epoch`; one epoch is all."""
        flat = _flat(x)
        if epoch == 1 and self._standardise:
            self._scaler = importlib.import_module("sklearn.preprocessing").StandardScaler()
            self._scaler.fit(flat)
        elif self._is_single and self._problem.is_double and _loses_values(flat):
            self._scaler = _Places(flat)
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
        """None: estimators are objects, and nothing here is pickled. Such trials are short."""
        return None

    def restore(self, state: State) -> None:
        """See `Estimator.restore`."""
        raise LearningError("models from scikit-learn have no checkpoints; start the trial anew")

    def _fit(self, x: NDArray[np.float64], y: NDArray[Any]) -> float | None:
        self._estimator.fit(x, y)
        return None

    def _scaled(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x if self._scaler is None else np.asarray(self._scaler.transform(x))


def pick(problem: Problem, classifier: str, regressor: str) -> Any:
    """The class to use, both as in "sklearn.tree:DecisionTreeClassifier"."""
    path = classifier if problem.kind == "classification" else regressor
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _flat(x: NDArray[Any]) -> NDArray[np.float64]:
    return x.reshape(len(x), -1).astype(np.float64)


class _Places:
    """Features as places among the values of the training examples, which float32 tells apart.

    Only for trees, which ask for nothing but order; values between two are between their places.
    """

    def __init__(self, x: NDArray[np.float64]) -> None:
        self._values = [np.unique(column) for column in x.T]

    def transform(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places of the features of examples, counted from 0."""
        return np.stack(
            [
                np.interp(column, values, np.arange(len(values)))
                for column, values in zip(x.T, self._values, strict=True)
            ],
            axis=1,
        )


def _loses_values(x: NDArray[np.float64]) -> bool:
    """Whether float32 makes different values of a column the same, or an infinity."""
    with np.errstate(over="ignore"):
        single = x.astype(np.float32)
    if not np.isfinite(single).all():
        return True
    return any(
        len(np.unique(before)) > len(np.unique(after))
        for before, after in zip(x.T, single.T, strict=True)
    )


def _configure() -> None:
    """Spare checks on data that `tables` has checked: half of the time of a small fit."""
    importlib.import_module("sklearn").set_config(assume_finite=True)
