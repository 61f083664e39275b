"""Model: a fitted pipeline of a member, and its answers on the scale that all members share."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from swarm.core.errors import ConfigurationError, LearningError
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import Floats
from swarm.learning.ensemble.compact import compact
from swarm.learning.ensemble.labelled import LabelledRows
from swarm.learning.ensemble.learners import find_learner
from swarm.learning.ensemble.row_encoder import RowEncoder
from swarm.learning.ensemble.row_tables import CodedTable, Rows
from swarm.learning.estimators.family import Problem

PROBABILITY_MIN = 1e-4
"""Least probability that a model answers: a tree's leaf of one class is not that sure."""
FAR_SHARE = 0.5
"""A member abstains from a question if a greater share of its rows is far."""
_MADE_OF_ROWS = {
    "KNeighborsClassifier",
    "KNeighborsRegressor",
    "CalibratedClassifierCV",  # of support vectors
    "SVR",
}


class Model:
    """A fitted model: rows in, answers out."""

    def __init__(self, pipeline: Any, spec: EnsembleSpec) -> None:
        self.pipeline = pipeline
        self._encoder: RowEncoder = pipeline.steps[0][1]
        self._estimator: Any = pipeline.steps[1][1]
        self._spec = spec

    @property
    def carries_rows(self) -> bool:
        """Whether the model is made of rows that it was fitted on; it had better stay at home."""
        inner = getattr(self._estimator, "regressor_", self._estimator)
        return type(inner).__name__ in _MADE_OF_ROWS

    def are_far(self, rows: Rows | CodedTable) -> bool:
        """Whether most of these rows are further than the spec's rule allows."""
        if not self._spec.distance_max:
            return False
        limit = self._spec.distance_max * self._encoder.reach_
        return bool((self._encoder.distances(rows) > limit).mean() > FAR_SHARE)

    def answers(self, rows: Rows | CodedTable) -> Floats:
        """Answers of shape (n, outputs), on the scale of the spec's transform.

        Raises:
            LearningError: The model fails, or its answers have another shape.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                x = self._encoder.transform(rows)
                found = self._raw(x)
        except Exception as error:  # any library's, for a model of any origin
            text = str(error).partition("\n")[0]
            raise LearningError(f"the model fails: {type(error).__name__}: {text:.200}") from error
        if found.shape != (len(x), self._spec.num_outputs):
            raise LearningError(
                f"the model must answer shape ({len(x)}, {self._spec.num_outputs}), "
                f"got {found.shape}"
            )
        return found

    def _raw(self, x: NDArray[np.float64]) -> Floats:
        if not self._spec.classes:
            return np.asarray(self._estimator.predict(x), np.float64).reshape(len(x), -1)
        classes = np.asarray(self._estimator.classes_, np.int64)
        if classes.ndim != 1 or not ((classes >= 0) & (classes < self._spec.num_outputs)).all():
            raise ValueError("classes_ must be numbers of the ensemble's classes")
        found = np.asarray(self._estimator.predict_proba(x), np.float64)
        answers = np.zeros((len(x), self._spec.num_outputs))
        answers[:, classes] = found
        answers = np.maximum(answers, PROBABILITY_MIN)  # keeps NaN
        shares: Floats = answers / answers.sum(axis=1, keepdims=True)
        return shares


def _without_rare(rows: LabelledRows, rows_per_class: int) -> LabelledRows:
    """The rows of classes that have enough of them, or all rows if no class has."""
    labels = rows.y.astype(np.int64)
    enough = np.bincount(labels)[labels] >= rows_per_class
    return rows if enough.all() or not enough.any() else rows.only(enough)


def fit_model(
    rows: LabelledRows, spec: EnsembleSpec, learner: str, *, seed: int, allow_code: bool = False
) -> Model:
    """Fit a learner to rows.

    Args:
        rows: At least 1.
        spec: The ensemble.
        learner: Its name, or `module:Class`.
        seed: The same seed and rows give the same model.
        allow_code: Whether `module:Class` may run.

    Raises:
        ConfigurationError: There is no such learner.
        LearningError: Fitting failed.
    """
    entry = find_learner(learner, spec.task, allow_code=allow_code)
    if spec.classes:
        rows = _without_rare(rows, entry.rows_per_class)
    kind: Any = spec.task
    encoder = RowEncoder(scale=entry.scale)
    try:
        # More threads than cores take turns for minutes.
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few iterations, a rare class: the score says it
            x = encoder.fit(rows.x).transform(rows.x)
            y: NDArray[Any] = rows.y.astype(np.int64) if spec.classes else rows.y
            if spec.classes and len(np.unique(y)) == 1:
                estimator: Any = DummyClassifier()  # most learners refuse a single class
            else:
                shape = spec.input_shape or x.shape[1:]
                problem = Problem(kind, shape, len(spec.classes), bool(spec.classes))
                estimator = entry.make(problem, seed)
            estimator.fit(x, y)
            pipeline = Pipeline([("encode", encoder), ("model", compact(estimator))])
            return Model(pipeline, spec)
    except ConfigurationError:
        raise
    except Exception as error:  # any library's
        text = str(error).partition("\n")[0]
        raise LearningError(f"fitting {learner} failed: {text:.300}") from error
