"""Examples of any type as a session takes them: images, tables, sequences, ids, texts.

What uint8 means depends on the shape alone, so it means the same at every site. Arrays (n, h, w)
and (n, h, w, c) of at least 8 by 8 are images, with pixels in 0..255 that a model sees as 0..1.
Other uint8 arrays are whole numbers, for instance ids of words.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.core.inputs import InputSpec
from swarm.learning.datasets.dataset import Inputs
from swarm.learning.datasets.description import DataDescription
from swarm.learning.datasets.finite import check_finite
from swarm.learning.image_shape import SIDE_MIN, is_image_shape

PIXEL_MAX = 255
BRIGHT = 127
"""Whole numbers in 0..255 with a value over this one, in an image, are pixels."""
_TEXT = "text"


@dataclass(frozen=True, slots=True)
class Shapes:
    """What a session fixes about examples, and how it was recognised."""

    input_shape: tuple[int, ...]
    inputs: tuple[InputSpec, ...] = ()
    notes: tuple[str, ...] = ()


def recognise(called: str, x: Inputs, num_axes: int | None = None) -> Shapes:
    """Recognise what the examples are.

    Args:
        called: The data's name in messages.
        x: Examples; some of them are enough.
        num_axes: Axes of one example that the session's model takes, if that is known.

    Raises:
        DataError: An array has no examples, or holds something else than numbers or texts.
    """
    if isinstance(x, dict):
        specs = tuple(_spec(called, name, array) for name, array in sorted(x.items()))
        return Shapes((), specs)
    if is_text(x):
        return Shapes((), (_spec(called, _TEXT, x),))
    check_numbers(called, "x", x)
    shape = x.shape[1:]
    if len(shape) != 2:
        return Shapes(shape)
    if num_axes == 3 or (num_axes is None and _are_pixels(x)):
        return Shapes((*shape, 1), notes=(f"arrays of shape {shape} are taken as grey images",))
    note = f"arrays of shape {shape} are taken as sequences of {shape[0]} steps"
    return Shapes(shape, notes=(note,) if num_axes is None else ())


def encode(
    called: str, x: Inputs, session: DataDescription, *, like: Inputs | None = None
) -> Inputs:
    """Examples as a session takes them: see `swarm.learning.datasets.dataset.Examples.take`.

    Args:
        called: The data's name in messages.
        x: The examples.
        session: What the session fixes.
        like: The training examples, whose values say whether numbers are pixels; None means `x`.

    Raises:
        DataError: Inputs or shapes differ from the session's, or a value is not finite.
    """
    if not session.inputs:
        if isinstance(x, dict) or is_text(x):
            raise DataError(f"{called} has {_listed(x)}; the session takes one array of numbers")
        return _numbers(called, "x", x, session.input_shape, like)
    if not isinstance(x, dict):
        if len(session.inputs) > 1:
            raise DataError(f"{called} has one array; the session takes {_names(session)}")
        return _typed(called, "x", x, session.inputs[0], like)
    if set(x) != {given.name for given in session.inputs}:
        raise DataError(f"{called} has {_listed(x)}; the session takes {_names(session)}")
    likes = named(like) if like is not None else {}
    arrays = {
        given.name: _typed(called, given.name, x[given.name], given, likes.get(given.name))
        for given in session.inputs
    }
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def named(x: Inputs) -> dict[str, NDArray[Any]]:
    """Arrays by the names of their inputs; a single one has the name ''."""
    return x if isinstance(x, dict) else {"": x}


def check_numbers(called: str, name: str, array: NDArray[Any]) -> None:
    """Check type and shape of an array of examples.

    Raises:
        DataError: It does not hold numbers, or has no axis beside that of the examples.
    """
    if array.dtype.kind == "O":
        raise DataError(
            f"{called}: {name} must hold numbers, got objects such as {_first(array)}; rows of "
            "different length must be padded to one length"
        )
    if array.dtype.kind not in "biuf":
        raise DataError(f"{called}: {name} must hold numbers, got {array.dtype}")
    if array.ndim < 2:
        raise DataError(
            f"{called}: {name} must have an axis of examples and more, got {array.shape}"
        )
    if len(array) and not array.size:
        raise DataError(f"{called}: an example of {name} must not be empty, got {array.shape}")


def is_text(array: NDArray[Any]) -> bool:
    """Whether an array holds one text for each example."""
    if array.dtype.kind not in "UO" or array.ndim > 2 or array.shape[1:] not in ((), (1,)):
        return False
    return array.dtype.kind == "U" or all(isinstance(text, str) for text in array.ravel())


def range_note(x: Inputs, session: DataDescription) -> str:
    """What is odd about the values of images, for models that expect 0..1; empty if nothing is."""
    if isinstance(x, dict) or not session.is_image or not x.size:
        return ""
    low, high = float(x.min()), float(x.max())
    if x.dtype == np.uint8 and high <= 1:
        return "all pixels are 0 or 1 of 255: give a mask in 0..1 as float"
    if x.dtype != np.uint8 and (high > 2 or low < -2):
        return (
            f"values of the images lie in {low:g}..{high:g}: built-in models expect 0..1, "
            "so divide them, or give pixels as uint8"
        )
    return ""


def _spec(called: str, name: str, array: NDArray[Any]) -> InputSpec:
    if is_text(array):
        return InputSpec(name, (), "string")
    check_numbers(called, name, array)
    dtype = "int32" if array.dtype.kind in "iu" and not _are_pixels(array) else "float32"
    return InputSpec(name, array.shape[1:], dtype)


def _typed(
    called: str, name: str, array: NDArray[Any], spec: InputSpec, like: Inputs | None
) -> NDArray[Any]:
    if spec.dtype == "string":
        if not is_text(array):
            raise DataError(f"{called}: {name} must hold texts, got {array.dtype}{array.shape}")
        return array.reshape(len(array)).astype(object)
    if is_text(array):
        raise DataError(f"{called}: {name} must hold numbers, got texts")
    numbers = _numbers(called, name, array, spec.shape, like)
    if spec.dtype == "float32":
        return numbers
    given = array.reshape(numbers.shape)  # float32 holds whole numbers up to 2^24 only
    limits = np.iinfo(np.int32)
    in_range = given.size == 0 or (given.min() >= limits.min and given.max() <= limits.max)
    if not in_range or not (given == np.floor(given)).all():
        raise DataError(f"{called}: {name} must hold whole numbers of 32 bits")
    return given.astype(np.int32)


def _numbers(
    called: str, name: str, array: NDArray[Any], shape: tuple[int, ...], like: Inputs | None
) -> NDArray[Any]:
    """Numbers of one shape: uint8 for pixels, else float32."""
    check_numbers(called, name, array)
    if not _fits(array.shape[1:], shape):
        raise DataError(
            f"{called}: {name} has examples of shape {array.shape[1:]}, the session's are {shape}"
        )
    judged = like if isinstance(like, np.ndarray) else array
    bright = is_image_shape(shape) and _look_like_pixels(judged)
    pixels = _are_pixels(array) or (bright and _are_bytes(array))
    array = array.reshape(len(array), *shape)
    if pixels:
        return np.ascontiguousarray(array, np.uint8)
    check_finite(called, name, array)
    return np.ascontiguousarray(array, np.float32)


def _fits(given: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether the shapes are equal; grey images may have an axis of one channel or none."""
    is_grey = len(given) == 3 and given == (*wanted, 1)
    return wanted in (given, (*given, 1)) or is_grey


def _are_pixels(array: NDArray[Any]) -> bool:
    sides = array.shape[1:3] if array.ndim == 3 else array.shape[-3:-1]
    return array.dtype == np.uint8 and array.ndim >= 3 and min(sides, default=0) >= SIDE_MIN


def _look_like_pixels(array: NDArray[Any]) -> bool:
    """Whether numbers of another type are whole and in 0..255, and some are bright."""
    return _are_bytes(array) and bool(array.max() > BRIGHT)


def _are_bytes(array: NDArray[Any]) -> bool:
    if not array.size or array.dtype.kind not in "iuf":
        return False
    in_range = array.min() >= 0 and array.max() <= PIXEL_MAX
    return bool(in_range and (array.dtype.kind in "iu" or (array == np.floor(array)).all()))


def _first(array: NDArray[Any]) -> str:
    value = array.ravel()[0] if array.size else None
    return f"{value!r:.40} ({type(value).__name__})"


def _listed(x: Inputs) -> str:
    if isinstance(x, dict):
        return f"inputs {', '.join(sorted(x))}"
    return "texts" if is_text(x) else "one array"


def _names(session: DataDescription) -> str:
    return f"inputs {', '.join(given.name for given in session.inputs)}"
