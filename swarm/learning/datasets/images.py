"""Pictures of any size and mode as arrays of one shape, with Pillow."""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from swarm.core.errors import DataError
from swarm.learning.progress import OnProgress, Progress

SIDE_MAX = 256
"""Larger pictures are scaled down to this longer side, unless the session says otherwise."""
ARRAY_BYTES_MAX = 8 << 30
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
"""Others have no business in a data set, and some start programs, such as Ghostscript."""
PIXEL_MAX, MAX_16_BITS, SCALE_16_BITS = 255, 65_535, 257
UNREADABLE_SHARE_MAX = 0.5
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "F")
_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises for damaged files."""

Open = Callable[[], Any]
"""Opens one picture: a path, or a file of bytes."""


def from_path(path: Path) -> Open:
    """A picture in a file."""
    return lambda: path


def from_bytes(data: bytes) -> Open:
    """A picture in memory."""
    return lambda: io.BytesIO(data)


def common_shape(called: str, pictures: Sequence[Open]) -> tuple[tuple[int, int, int], str]:
    """Choose one shape for pictures from their headers.

    Returns:
        (height, width, channels): of most pictures, at most `SIDE_MAX`; and a note, empty if all
        pictures have this shape.

    Raises:
        DataError: None can be read.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    for opened in pictures:
        try:
            with Image.open(opened(), formats=FORMATS) as picture:
                sizes[picture.size] += 1
                grey = grey and picture.mode in _GREY_MODES
        except _UNREADABLE:
            continue
    if not sizes:
        raise DataError(f"{called}: none of the pictures can be read")
    (width, height), _ = sizes.most_common(1)[0]
    scale = min(1.0, SIDE_MAX / max(width, height))
    shape = (max(1, round(height * scale)), max(1, round(width * scale)), 1 if grey else 3)
    if len(sizes) == 1 and scale == 1.0:
        return shape, ""
    return shape, f"pictures of {len(sizes)} sizes are scaled to {shape[1]} x {shape[0]} pixels"


def read_pictures(
    called: str,
    pictures: Sequence[Open],
    shape: tuple[int, ...],
    progress: OnProgress = lambda progress: None,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read pictures as one array.

    Args:
        called: The data's name in messages.
        pictures: How each is opened.
        shape: (height, width, channels) to scale them to; 1 channel is grey, 3 are colours.
        progress: Called after each hundred.

    Returns:
        uint8 (m, *shape), and which pictures they are: unreadable ones are left out.

    Raises:
        DataError: The shape is no picture's, the array would be too large, or most pictures
            cannot be read.
    """
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise DataError(
            f"{called} has pictures of 1 or 3 channels, the session's examples are {shape}"
        )
    size_bytes = len(pictures) * int(np.prod(shape))
    if size_bytes > ARRAY_BYTES_MAX:
        raise DataError(
            f"{called}: {len(pictures)} pictures of shape {shape} need {size_bytes >> 30} GiB of "
            f"memory, at most {ARRAY_BYTES_MAX >> 30} GiB may be used: make them smaller"
        )
    array = np.empty((len(pictures), *shape), np.uint8)
    good: list[int] = []
    for place, opened in enumerate(pictures):
        pixels = _pixels(opened(), shape)
        if pixels is not None:
            array[len(good)] = pixels
            good.append(place)
        if place % 100 == 0:
            progress(Progress("preparing", place / len(pictures), text=f"reading {called}"))
    if len(good) < len(pictures) * (1 - UNREADABLE_SHARE_MAX):
        raise DataError(
            f"{called}: {len(pictures) - len(good)} of {len(pictures)} pictures cannot be read"
        )
    return array[: len(good)], np.array(good, np.int64)


def _pixels(source: Path | IO[bytes], shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    try:
        with Image.open(source, formats=FORMATS) as picture:
            converted = _eight_bits(picture).convert("L" if shape[2] == 1 else "RGB")
            if converted.size != (shape[1], shape[0]):
                converted = converted.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
            return np.asarray(converted, np.uint8).reshape(shape)
    except _UNREADABLE:
        return None


def _eight_bits(picture: Image.Image) -> Image.Image:
    """16 bits per pixel, as in medical pictures, or fractions, to 8: Pillow would cut them off.

    The type alone decides the scale: by its values, a dark picture would become a bright one.
    """
    if picture.mode == "F":
        values = np.asarray(picture, np.float64)
        if not (values.min() >= 0 and values.max() <= 1):
            raise DataError(
                f"pixels of a picture of fractions must be in 0..1, got {values.min():g}.."
                f"{values.max():g}: scale them"
            )
        return Image.fromarray(np.rint(values * PIXEL_MAX).astype(np.uint8))
    if not picture.mode.startswith("I"):
        return picture
    values = np.asarray(picture, np.float64)
    return Image.fromarray((values.clip(0, MAX_16_BITS) / SCALE_16_BITS).astype(np.uint8))
