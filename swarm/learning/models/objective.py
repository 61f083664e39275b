"""Objective: the loss that training minimises, and the score that it is judged by.

The score is in [0, 1], and messages call it accuracy:
classification  share of examples whose class is predicted
multi-label     share of labels that are predicted right: a label is predicted from 0.5 on
regression      R², 0 where it is negative: 1 - (sum of squared errors) / (sum of squared distances
                from the mean). Both sums go over all examples and numbers of one peer's shard;
                each number's mean is taken over that shard
The swarm's score and loss are the means over all peers, weighted by their examples. So for
classification and multi-label they are exactly those on all test examples together.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.learning.backend import keras
from swarm.learning.models.compiled import own_loss
from swarm.learning.models.outputs import Outputs


class Objective:
    """What training minimises, and how well a model does."""

    def __init__(self, model: Any, outputs: Outputs) -> None:
        """Take the loss that the model was compiled with, or the task's usual one."""
        self.outputs = outputs
        own = own_loss(model)
        self.loss: Any = _default_loss(outputs) if own is None else _corrected(own, outputs)
        """A Keras loss, or a function of targets and outputs."""
        self._one_hot = (
            outputs.task == "classification"
            and not outputs.is_single
            and _takes_one_hot(self.loss)
        )
        self.is_own = own is not None

    def targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """What the loss compares outputs with, from a shard's targets."""
        if self.outputs.is_single:
            return y[:, np.newaxis].astype(np.float32)
        if self._one_hot:
            one_hot: NDArray[Any] = np.eye(self.outputs.width, dtype=np.float32)[y]
            return one_hot
        return y

    def metric(self) -> Any:
        """A new Keras metric, "score", whose mean `score` turns into the score."""
        task = self.outputs.task
        if task == "regression":
            return keras.metrics.MeanSquaredError(name="score")
        if task == "multi-label" or self.outputs.is_single:
            threshold = 0.0 if self.outputs.logits else 0.5
            return keras.metrics.BinaryAccuracy(name="score", threshold=threshold)
        if self._one_hot:
            return keras.metrics.CategoricalAccuracy(name="score")
        return keras.metrics.SparseCategoricalAccuracy(name="score")

    def score(self, mean: float, spread: float) -> float:
        """The score, from the mean of `metric` and the shard's `spread`."""
        return r_squared(mean, spread) if self.outputs.task == "regression" else mean

    def mean_metric(self, outputs: NDArray[np.float64], y: NDArray[Any]) -> float:
        """Mean of `metric` over some examples, from (n, width) outputs."""
        targets = y[:, np.newaxis] if self.outputs.is_single else y
        if self.outputs.task == "regression":
            return float(np.square(outputs - targets).mean())
        if self.outputs.task == "multi-label" or self.outputs.is_single:
            predicted = outputs > (0.0 if self.outputs.logits else 0.5)
            return float((predicted == (targets > 0.5)).mean())
        return float((outputs.argmax(axis=1) == y).mean())

    def mean_loss(self, outputs: NDArray[np.float64], y: NDArray[Any]) -> float:
        """Mean loss over some examples, from (n, width) outputs."""
        loss = self.loss(self.targets(y), keras.ops.convert_to_tensor(outputs, "float32"))
        return float(np.mean(keras.ops.convert_to_numpy(loss), dtype=np.float64))


def r_squared(mean_squared_error: float, spread: float) -> float:
    """R², at least 0.

    Example:
        >>> r_squared(1.0, 4.0), r_squared(9.0, 4.0), r_squared(0.0, 0.0)
        (0.75, 0.0, 1.0)
    """
    if spread == 0:
        return 1.0 if mean_squared_error == 0 else 0.0
    return max(0.0, 1 - mean_squared_error / spread)


def _default_loss(outputs: Outputs) -> Any:
    if outputs.task == "regression":
        return keras.losses.MeanSquaredError()
    if outputs.task == "multi-label" or outputs.is_single:
        return keras.losses.BinaryCrossentropy(from_logits=outputs.logits)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=outputs.logits)


def _corrected(loss: Any, outputs: Outputs) -> Any:
    """The loss with the `from_logits` that the model's outputs need.

    That of a regression is taken at its word: nothing is known of what its outputs mean.
    """
    if outputs.task == "regression" or not isinstance(loss, keras.losses.Loss):
        return loss
    config = loss.get_config()
    if config.get("from_logits", outputs.logits) == outputs.logits:
        return loss
    return type(loss).from_config({**config, "from_logits": outputs.logits})


def _takes_one_hot(loss: Any) -> bool:
    """Whether a loss of Keras takes one-hot rows; an own loss gets class numbers."""
    cls = loss if not isinstance(loss, keras.losses.Loss) else type(loss)
    is_of_keras = cls.__module__.split(".")[0] == "keras"
    return is_of_keras and not cls.__name__.lower().startswith("sparse")
