"""Reads a `tf.data.Dataset` or a PyTorch `DataLoader` once, into arrays.

A round goes over the same examples again and again, in an order of its own. So the data set is
read once, and random augmentation in it happens once only. Neither library is imported here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.learning.datasets.dataset import Inputs
from swarm.learning.datasets.examples import named
from swarm.learning.datasets.raw import RawSplit
from swarm.learning.image_shape import SIDE_MIN
from swarm.learning.progress import OnProgress, Progress

EXAMPLES_MAX = 5_000_000
BYTES_MAX = 8 << 30
"""An endless data set is refused when it has given this much."""
_LABELS = ("label", "labels", "target", "y")
_CHANNELS = (1, 3, 4)


def is_batches(source: Any) -> bool:
    """Whether an object is a `tf.data.Dataset` or a `DataLoader`."""
    known = ("tensorflow.python.data", "torch.utils.data")
    return any(name.startswith(known) for name in _modules(source))


def _modules(source: Any) -> list[str]:
    """Modules of the object's classes: a user's subclass has one of its own."""
    return [kind.__module__ for kind in type(source).__mro__]


def read_batches(source: Any, called: str, progress: OnProgress) -> RawSplit:
    """Read all examples.

    Args:
        source: Gives pairs of inputs and targets, or dicts with a target named `label`; one
            example at a time or in batches.
        called: Its name in messages.
        progress: Called after each batch.

    Raises:
        DataError: It is endless or too large, its elements are of no such kind, or arrays differ
            in shape.
    """
    _check_finite(source, called)
    elements, size_bytes, num_examples = [], 0, 0
    batched = _gives_batches(source)
    for element in source:
        x, y = _pair(called, element)
        if batched is None:
            batched = _is_batch(x, y)
        elements.append((x, y) if batched else (_one(x), y[np.newaxis]))
        num_examples += len(elements[-1][1])
        size_bytes += sum(array.nbytes for array in _arrays(x)) + y.nbytes
        if num_examples > EXAMPLES_MAX or size_bytes > BYTES_MAX:
            raise DataError(
                f"{called} has given {num_examples} examples, {size_bytes >> 20} MiB, and goes "
                "on: if it is endless, limit it with take(); otherwise write it to a file"
            )
        text = f"reading {called}: {num_examples} examples"
        progress(Progress("preparing", size_bytes / BYTES_MAX, text=text))
    if not elements:
        raise DataError(f"{called} has no examples")
    try:
        x, y = _concatenated([x for x, _ in elements]), np.concatenate([y for _, y in elements])
    except ValueError as error:
        raise DataError(f"{called}: examples must have one shape: {error}") from error
    _check_lengths(called, x, y)
    is_torch = any(name.startswith("torch.utils.data") for name in _modules(source))
    return RawSplit(_channels_last(x) if is_torch else x, y)


def _check_finite(source: Any, called: str) -> None:
    cardinality = getattr(source, "cardinality", None)
    if cardinality is not None and int(cardinality()) == -1:  # tf.data.INFINITE_CARDINALITY
        raise DataError(f"{called} is endless: leave out repeat(), or limit it with take()")


def _gives_batches(source: Any) -> bool | None:
    """Whether elements are batches; None if that must be seen from them."""
    # A DataLoader with batch_size=None leaves batches to its data set, which may give examples.
    return True if getattr(source, "batch_sampler", None) is not None else None


def _check_lengths(called: str, x: Inputs, y: NDArray[Any]) -> None:
    for name, array in named(x).items():
        if len(array) != len(y):
            raise DataError(
                f"{called} gives {len(array)} examples"
                + (f" of {name!r}" if name else "")
                + f" but {len(y)} targets"
            )


def _is_batch(x: Inputs, y: NDArray[Any]) -> bool:
    sizes = {array.shape[:1] for array in (*_arrays(x), y)}
    return len(sizes) == 1 and sizes != {()}


def _pair(called: str, element: Any) -> tuple[Inputs, NDArray[Any]]:
    if isinstance(element, Mapping):
        names = {str(name).lower(): name for name in element}
        target = next((names[name] for name in _LABELS if name in names), None)
        if target is None:
            raise DataError(
                f"{called} gives dicts of {', '.join(map(str, element))}: name the target label"
            )
        x = {str(name): _numpy(value) for name, value in element.items() if name != target}
        return x if len(x) > 1 else next(iter(x.values())), _numpy(element[target])
    if not isinstance(element, tuple | list) or len(element) != 2:
        got = type(element).__name__
        got += f" of {len(element)}" if isinstance(element, tuple | list) else ""
        raise DataError(
            f"{called} must give a pair (inputs, targets), got {got}; sample weights are not "
            "used; several inputs are a dict"
        )
    inputs, target = element[0], _numpy(element[1])
    if isinstance(inputs, Mapping):
        return {str(name): _numpy(value) for name, value in inputs.items()}, target
    if isinstance(inputs, tuple | list) and any(hasattr(value, "shape") for value in inputs):
        raise DataError(
            f"{called} gives {len(inputs)} inputs in a {type(inputs).__name__}: several inputs "
            "must be a dict by name"
        )
    return _numpy(inputs), target


def _numpy(value: Any) -> NDArray[Any]:
    """A tensor as an array; texts of TensorFlow are bytes, which become str."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    if array.dtype == object or array.dtype.kind == "S":
        texts = [text.decode() if isinstance(text, bytes) else text for text in array.ravel()]
        return np.array(texts, object).reshape(array.shape)
    return array


def _arrays(x: Inputs) -> Iterable[NDArray[Any]]:
    return named(x).values()


def _one(x: Inputs) -> Inputs:
    if isinstance(x, dict):
        return {name: array[np.newaxis] for name, array in x.items()}
    return x[np.newaxis]


def _concatenated(parts: list[Inputs]) -> Inputs:
    first = parts[0]
    if isinstance(first, dict):
        return {name: np.concatenate([part[name] for part in parts]) for name in first}
    return np.concatenate([np.asarray(part) for part in parts])


def _channels_last(x: Inputs) -> Inputs:
    """PyTorch has the channels of an image before its height; Keras has them last."""
    if isinstance(x, dict):
        return {name: np.asarray(_channels_last(array)) for name, array in x.items()}
    if x.ndim == 4 and x.shape[1] in _CHANNELS and min(x.shape[2:]) >= SIDE_MIN:
        return np.moveaxis(x, 1, -1)
    return x
