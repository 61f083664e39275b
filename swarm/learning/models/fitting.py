"""check_fits(): whether a model fits the session's data; what it takes and gives."""

from typing import Any

import numpy as np

from swarm.core.errors import LearningError
from swarm.core.inputs import InputSpec
from swarm.learning.backend import keras
from swarm.learning.datasets.description import DataDescription


def example_inputs(data: DataDescription, rows: int) -> Any:
    """Inputs of `rows` examples, all zeros or empty texts: an array, or a dict of arrays."""
    if not data.inputs:
        return np.zeros((rows, *data.input_shape), np.float32)
    arrays = {given.name: _zeros(given, rows) for given in data.inputs}
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def build(model: Any, data: DataDescription) -> None:
    """Create the weights of a model that does not know its input yet."""
    model(
        keras.tree.map_structure(
            lambda array: keras.Input(array.shape[1:], dtype=_dtype(array)),
            example_inputs(data, 1),
        )
    )


def stated_rows(model: Any) -> int | None:
    """Number of examples that a model's inputs state for each batch, or None."""
    rows = (tensor.shape[0] for tensor in getattr(model, "inputs", None) or ())
    return next((int(number) for number in rows if number), None)


def fixed_rows(model: Any, data: DataDescription) -> int | None:
    """Number of examples that each batch must have; None if any number will do.

    A model that was built by calling it on two examples states two, but takes any number.
    """
    stated = stated_rows(model)
    if stated is None:
        return None
    try:
        model(example_inputs(data, stated + 1), training=False)
    except Exception:  # what it raises depends on the layer and on the backend
        return stated
    return None


def check_fits(model: Any, name: str, data: DataDescription) -> None:
    """Check a model, once, before it trains.

    Args:
        model: What the user brought.
        name: Its name in errors.
        data: What the session fixes about its data.

    Raises:
        LearningError: It cannot be trained on this data; the message says what to change.
    """
    if not isinstance(model, keras.Model):
        raise LearningError(f"model {name!r} must be a keras.Model, got {type(model).__name__}")
    if not model.built:
        raise LearningError(
            f"model {name!r} has no weights yet: give it an Input layer, or call it once on "
            "examples, before it is saved"
        )
    if not model.trainable_weights:
        raise LearningError(f"model {name!r} has no trainable weights: nothing would be trained")
    _check_inputs(model, name, data)
    _check_outputs(model, name, data)


def output_width(model: Any, name: str, data: DataDescription) -> int:
    """Length of a model's output for one example.

    Raises:
        LearningError: It has several outputs, or its output is no vector.
    """
    shape = _output_shape(model, name, data)
    if not isinstance(shape, tuple) or not all(isinstance(size, int | None) for size in shape):
        raise LearningError(
            f"model {name!r} has several outputs, {shape}; a session trains models with one"
        )
    if len(shape) != 2 or shape[1] is None:
        raise LearningError(
            f"model {name!r} has output {shape}, the session needs (None, {data.num_classes})"
        )
    return int(shape[1])


def _dtype(array: Any) -> str:
    return "string" if array.dtype.kind == "O" else str(array.dtype)


def _zeros(given: InputSpec, rows: int) -> Any:
    if given.dtype == "string":
        return np.full((rows, *given.shape), "", object)
    return np.zeros((rows, *given.shape), given.dtype)


def _check_inputs(model: Any, name: str, data: DataDescription) -> None:
    tensors = getattr(model, "inputs", None)
    if not tensors:
        return  # a subclass: trying it shows whether it takes the data
    if len(data.inputs) > 1:
        theirs, ours = {tensor.name for tensor in tensors}, {given.name for given in data.inputs}
        if theirs != ours:
            raise LearningError(
                f"model {name!r} has inputs {', '.join(sorted(theirs))}, "
                f"the data has {', '.join(sorted(ours))}: give them the same names"
            )
    elif len(tensors) > 1:
        names = ", ".join(tensor.name for tensor in tensors)
        raise LearningError(f"model {name!r} has inputs {names}, the data has one")
    shapes = {given.name: given.shape for given in data.inputs}
    single = data.inputs[0].shape if len(data.inputs) == 1 else data.input_shape
    for tensor in tensors:
        expected = shapes.get(tensor.name, single)
        shape = tuple(tensor.shape[1:])
        if len(shape) != len(expected) or any(
            a not in (None, b) for a, b in zip(shape, expected, strict=True)
        ):
            raise LearningError(
                f"model {name!r} has input {(None, *shape)}, the session needs {(None, *expected)}"
            )


def _check_outputs(model: Any, name: str, data: DataDescription) -> None:
    width, wanted = output_width(model, name, data), data.num_classes
    if width == wanted or (width == 1 and wanted == 2 and data.task == "classification"):
        return
    what = {"classification": "classes", "multi-label": "labels", "regression": "numbers"}
    hint = f"change its last layer to {wanted} outputs"
    if width > wanted and data.task == "classification":
        hint += f", or set num_classes={width} if this peer's data lacks some classes"
    raise LearningError(
        f"model {name!r} has output {width}, but the data has {wanted} {what[data.task]}: {hint}"
    )


def _output_shape(model: Any, name: str, data: DataDescription) -> Any:
    try:
        return model.output_shape
    except (AttributeError, ValueError):  # a subclass has no graph: try it
        pass
    try:
        outputs = model(example_inputs(data, stated_rows(model) or 2), training=False)
    except Exception as error:
        raise LearningError(
            f"model {name!r} does not take this data: {type(error).__name__}: {error}"
        ) from error
    return keras.tree.map_structure(lambda tensor: (None, *tensor.shape[1:]), outputs)
