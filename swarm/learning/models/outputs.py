"""Outputs: what a model's outputs mean for the task, and whether they are logits.

Theory of operation. A loss must know whether it gets logits or probabilities; a wrong guess trains
nothing and raises no error. So this is found out in four steps. The first that knows decides:
looking    the operation that computes the output: a softmax, or a layer without activation;
measuring  random inputs, some of them wide: logits leave [0, 1]; probabilities add up to 1;
reading    `from_logits` of the loss that the model was compiled with;
asking     an error that says how to say it.
All of them use the model alone, so all peers of a session come to the same answer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import LearningError
from swarm.learning.backend import keras
from swarm.learning.datasets.description import DataDescription
from swarm.learning.models.compiled import said_by_loss
from swarm.learning.models.fitting import example_inputs, output_width, stated_rows

_LOGITS, _PROBABILITIES = True, False
_BY_FUNCTION = {
    "softmax": _PROBABILITIES,
    "sigmoid": _PROBABILITIES,
    "hard_sigmoid": _PROBABILITIES,
    "log_softmax": _LOGITS,  # a softmax of it is the same again
    "log_sigmoid": None,
}
_PASSING = ("Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Cast", "Activation")
_SCALES = (1.0, 30.0)
_ROWS = 32
_TOLERANCE = 0.02
"""float16 adds up 1,000 probabilities to 1 within this."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model's outputs, of shape (n, width), mean."""

    task: str
    width: int
    logits: bool
    """Whether outputs are logits, not probabilities; False for regression."""

    @property
    def is_single(self) -> bool:
        """Whether one output, for class 1, tells two classes apart."""
        return self.task == "classification" and self.width == 1

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Probability of each class, (n, C), or of each label, (n, width), from outputs."""
        values = np.asarray(outputs, np.float64)
        if self.task == "classification" and not self.is_single:
            if self.logits:
                values = np.exp(values - values.max(axis=1, keepdims=True))
            return np.asarray(values / values.sum(axis=1, keepdims=True))
        if self.logits:
            values = np.exp(-np.logaddexp(0.0, -values))
        return np.hstack([1 - values, values]) if self.is_single else values


def find_outputs(model: Any, data: DataDescription, name: str) -> Outputs:
    """Find out what the outputs of a model mean.

    Args:
        model: A Keras model that fits the data, compiled or not.
        data: What the session fixes about its data.
        name: The model's name in errors.

    Raises:
        LearningError: It cannot be told whether outputs are logits.
    """
    task, width = data.task, output_width(model, name, data)
    if task == "regression":
        return Outputs(task, width, logits=False)
    logits = _looked(model)
    if logits is None:
        logits = _measured(model, data, adds_up=task == "classification" and width > 1)
    if logits is None:
        logits = said_by_loss(model)
    if logits is None:
        raise LearningError(
            f"model {name!r} does not show whether it gives logits or probabilities: let it end "
            "in a layer with activation 'softmax' or 'sigmoid', or compile it with a loss that "
            "says so, such as keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
        )
    return Outputs(task, width, logits)


def _looked(model: Any) -> bool | None:
    """Follow the graph back from the output to the operation that decides."""
    try:
        tensor = model.outputs[0]
    except (AttributeError, TypeError, ValueError, IndexError):  # a subclass without a graph
        return None
    while (history := getattr(tensor, "_keras_history", None)) is not None:
        operation = history.operation
        if isinstance(operation, keras.Model):
            return _looked(operation)
        if not _is_passing(operation):
            return _of_operation(operation)
        tensor = operation._inbound_nodes[history.node_index].input_tensors[0]
    return None


def _is_passing(operation: Any) -> bool:
    """Whether an operation hands its input on, at most in another shape or type."""
    if type(operation).__name__ not in _PASSING or not _is_of_keras(operation):
        return False
    return getattr(operation, "activation", None) in (None, keras.activations.linear)


def _of_operation(operation: Any) -> bool | None:
    activation = getattr(operation, "activation", None)
    if activation is not None and activation is not keras.activations.linear:
        return _BY_FUNCTION.get(getattr(activation, "__name__", ""))
    if not _is_of_keras(operation):
        return None
    name = type(operation).__name__
    if activation is keras.activations.linear and hasattr(operation, "kernel"):
        return _LOGITS
    return {"Softmax": _PROBABILITIES, "Sigmoid": _PROBABILITIES, "LogSoftmax": _LOGITS}.get(name)


def _is_of_keras(operation: Any) -> bool:
    return type(operation).__module__.split(".")[0] == "keras"


def _measured(model: Any, data: DataDescription, *, adds_up: bool) -> bool | None:
    """Judge outputs for random inputs; None if they may be either."""
    rng = np.random.default_rng(0)
    inputs = example_inputs(data, stated_rows(model) or _ROWS)
    batches = [_like(inputs, rng, scale) for scale in (*_SCALES, 0.0)]
    outputs = [_outputs_of(model, batch) for batch in batches]
    values = np.concatenate(
        [array for array in outputs if array is not None] or [np.zeros((0, 1))]
    )
    values = values[np.isfinite(values).all(axis=1)]
    if not values.size:
        return None
    if values.min() < -_TOLERANCE or values.max() > 1 + _TOLERANCE:
        return _LOGITS
    if adds_up:
        all_add_up = np.abs(values.sum(axis=1) - 1).max() < _TOLERANCE
        return _PROBABILITIES if all_add_up else None
    return _PROBABILITIES if ((values > 0) & (values < 1)).any() else None


def _outputs_of(model: Any, batch: Any) -> NDArray[np.float64] | None:
    try:
        outputs = model(batch, training=False)
    except Exception:
        return None
    return np.asarray(keras.ops.convert_to_numpy(outputs), np.float64)


def _like(inputs: Any, rng: np.random.Generator, scale: float) -> Any:
    """Random inputs with the shapes and types of `inputs`; 0 and 1 if `scale` is 0."""
    if isinstance(inputs, dict):
        return {name: _like(array, rng, scale) for name, array in inputs.items()}
    if inputs.dtype.kind == "O":  # text
        return inputs
    if inputs.dtype.kind != "f" or scale == 0:
        return rng.integers(0, 2, inputs.shape).astype(inputs.dtype)
    return (rng.standard_normal(inputs.shape) * scale).astype(inputs.dtype)
