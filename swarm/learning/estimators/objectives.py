"""Objectives: what predictions are scored by, and what is measured besides."""

import importlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import ConfigurationError
from swarm.learning.estimators.table_source import Kind

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """An estimator's predictions for n examples."""

    labels: NDArray[Any]
    """Shape (n,): class numbers; for a regression, predicted values."""
    probabilities: NDArray[np.float64] | None = None
    """Shape (n, C); None for a regression, or if the estimator gives none."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A score, and whether it is to be large or small."""

    name: str
    direction: Direction
    kind: Kind
    needs_probabilities: bool
    measure: Callable[[NDArray[Any], Predictions], float]
    """Computes the score from true values of shape (n,) and predictions."""


def find_objective(name: str, kind: Kind) -> Objective:
    """The objective of this name.

    Raises:
        ConfigurationError: The name is unknown, or is for the other kind of problem.
    """
    objective = OBJECTIVES.get(name)
    fitting = [known.name for known in OBJECTIVES.values() if known.kind == kind]
    if objective is None or objective.kind != kind:
        raise ConfigurationError(
            f"objective of a {kind} must be one of {', '.join(fitting)}, got {name!r}"
        )
    return objective


def measure_all(
    objective: Objective, truth: NDArray[Any], predictions: Predictions
) -> dict[str, float]:
    """The objective and the usual metrics of its kind, by name, as far as they can be computed."""
    found = {objective.name: objective.measure(truth, predictions)}
    for name in _ALWAYS[objective.kind]:
        other = OBJECTIVES[name]
        if name not in found and not (
            other.needs_probabilities and predictions.probabilities is None
        ):
            found[name] = other.measure(truth, predictions)
    return found


def mean_of_folds(folds: Iterable[dict[str, float]]) -> dict[str, float]:
    """Mean of each metric, over the folds that have it.

    Example:
        >>> mean_of_folds([{"accuracy": 0.5}, {"accuracy": 1.0}])
        {'accuracy': 0.75}
    """
    sums: dict[str, list[float]] = {}
    for fold in folds:
        for name, value in fold.items():
            sums.setdefault(name, []).append(value)
    return {name: math.fsum(values) / len(values) for name, values in sums.items()}


def _metrics() -> Any:
    return importlib.import_module(
        "sklearn.metrics"
    )  # takes a second; only needed where trials run


def _accuracy(truth: NDArray[Any], predictions: Predictions) -> float:
    return float((truth == predictions.labels).mean())


def _balanced_accuracy(truth: NDArray[Any], predictions: Predictions) -> float:
    # The mean recall of the classes that occur in `truth`. scikit-learn's version warns about
    # predicted classes that do not occur.
    hits = truth == predictions.labels
    return float(np.mean([hits[truth == label].mean() for label in np.unique(truth)]))


def _f1_macro(truth: NDArray[Any], predictions: Predictions) -> float:
    return float(
        _metrics().f1_score(truth, predictions.labels, average="macro", zero_division=0.0)
    )


def _log_loss(truth: NDArray[Any], predictions: Predictions) -> float:
    probabilities = predictions.probabilities
    if probabilities is None:
        raise ConfigurationError("log_loss needs a model that predicts probabilities")
    if not np.isfinite(probabilities).all():
        return math.nan
    labels = np.arange(probabilities.shape[1])
    return float(_metrics().log_loss(truth, probabilities, labels=labels))


def _root_mean_squared_error(truth: NDArray[Any], predictions: Predictions) -> float:
    return float(np.sqrt(np.mean((truth - predictions.labels) ** 2)))


def _mean_absolute_error(truth: NDArray[Any], predictions: Predictions) -> float:
    return float(np.mean(np.abs(truth - predictions.labels)))


def _r2(truth: NDArray[Any], predictions: Predictions) -> float:
    if not np.isfinite(predictions.labels).all():
        return math.nan
    return float(_metrics().r2_score(truth, predictions.labels))


OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective("accuracy", "maximize", "classification", False, _accuracy),
        Objective("balanced_accuracy", "maximize", "classification", False, _balanced_accuracy),
        Objective("f1_macro", "maximize", "classification", False, _f1_macro),
        Objective("log_loss", "minimize", "classification", True, _log_loss),
        Objective("rmse", "minimize", "regression", False, _root_mean_squared_error),
        Objective("mae", "minimize", "regression", False, _mean_absolute_error),
        Objective("r2", "maximize", "regression", False, _r2),
    )
}
_ALWAYS: dict[Kind, tuple[str, ...]] = {
    "classification": ("accuracy", "log_loss"),
    "regression": ("rmse", "mae"),
}
