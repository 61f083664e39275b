"""synthetic10: ten classes of generated images, with CIFAR-10's shape and size, to replace it.

Each image shows two patches of stripes at random places. The class is the direction of the first
patch's stripes; those of the second patch have any direction. Phase, spacing, colours and contrast
are random. The contrast of the first patch goes from strong to invisible, so some images are easy,
most are hard, and a few are impossible: accuracy climbs from round to round, and ends under 100 %.
Both signs of the contrast are equally likely, so the stripes tell a linear classifier nothing.
The background leans a little to a colour of the class, as skies and grass do. This is learned
within the first round, and is all that a linear classifier can learn.
"""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import StorageError
from swarm.learning.datasets.cifar_binary import (
    FOLDER,
    NUM_CLASSES,
    ROW_BYTES,
    ROWS_PER_FILE,
    TEST_FILES,
    TRAIN_FILES,
    map_rows,
    read,
)
from swarm.learning.datasets.dataset import Dataset
from swarm.learning.progress import OnProgress, Progress

LABEL = "synthetic10 (generated stand-in for CIFAR-10)"
CACHE_FOLDER = "synthetic10-v2"
"""Its version number increases with every change that changes a pixel."""
SEED = 10
BLOCK = 2_000
SIDE = 32
STRENGTH_MAX = 120.0
"""Greatest contrast of the stripes that show the class."""
HARDNESS = 1.25
"""Exponent of the contrast: the greater, the more images are hard."""
LEANING = 30.0
"""How far the background leans to the colour of the class; its own colour varies by 80."""
Images = NDArray[np.floating[Any]]


def find_or_generate(cache_dir: str, progress: OnProgress) -> Path:
    """Find the data set in CIFAR-10's binary layout; generate it on first use.

    Raises:
        StorageError: The cache cannot be written.
    """
    final = Path(cache_dir) / CACHE_FOLDER / FOLDER
    if all((final / name).exists() for name in TRAIN_FILES + TEST_FILES):
        return final
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=final.parent, prefix="new-") as scratch:
            fresh = Path(scratch) / FOLDER
            fresh.mkdir()
            for number, name in enumerate(TRAIN_FILES + TEST_FILES):
                (fresh / name).write_bytes(generate_file(number).tobytes())
                share = (number + 1) / len(TRAIN_FILES + TEST_FILES)
                progress(Progress("preparing", share, text="generating synthetic10"))
            with contextlib.suppress(OSError):  # another process wrote the same bytes first
                fresh.rename(final)
    except OSError as error:
        raise StorageError(f"cannot write generated data to {cache_dir}: {error}") from error
    return final


def load(cache_dir: str, progress: OnProgress) -> Dataset:
    """Open the data set; generate it on first use.

    Raises:
        StorageError: The cache cannot be written.
        DataError: A cached file is damaged.
    """
    folder = find_or_generate(cache_dir, progress)
    for name in TRAIN_FILES + TEST_FILES:
        map_rows(folder / name)
    return read(folder, LABEL, stand_in=True)


def generate_file(number: int) -> NDArray[np.uint8]:
    """Generate file `number` (0 to 4 for training, 5 for the test): uint8 (10,000, 3,073)."""
    rng = np.random.default_rng((SEED, number))
    rows = np.empty((ROWS_PER_FILE, ROW_BYTES), np.uint8)
    rows[:, 0] = rng.permutation(np.arange(ROWS_PER_FILE) % NUM_CLASSES)
    for start in range(0, ROWS_PER_FILE, BLOCK):
        block = rows[start : start + BLOCK]
        block[:, 1:] = _images(block[:, 0], rng).reshape(len(block), -1)
    return rows


def _images(labels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Generate images of the given classes: uint8 (n, 3, 32, 32)."""
    n = len(labels)
    chance = _Uniform(rng, n)
    turn = labels.astype(np.float32)[:, None, None] / NUM_CLASSES  # (n, 1, 1): part of a circle
    image = chance(87, 167, 3, 1, 1) + LEANING * _hue(turn)
    direction = np.pi * (turn + chance(-0.03, 0.03, 1, 1))
    strength = STRENGTH_MAX * chance(0, 1, 1, 1, 1) ** HARDNESS
    image = image + strength * _colour(chance) * _patch(chance, direction)
    any_direction = chance(0, np.pi, 1, 1)
    image = image + chance(10, 50, 1, 1, 1) * _colour(chance) * _patch(chance, any_direction)
    image += rng.integers(-20, 21, image.shape, np.int8)
    pixels: NDArray[np.uint8] = np.clip(image, 0, 255).astype(np.uint8)
    return pixels


class _Uniform:
    """Draws float32 numbers, independent ones for each of n images."""

    def __init__(self, rng: np.random.Generator, n: int) -> None:
        self._rng, self._n = rng, n

    def __call__(self, low: float, high: float, *shape: int) -> Images:
        return self._rng.uniform(low, high, (self._n, *shape)).astype(np.float32)


def _hue(turn: Images) -> Images:
    """Red, green and blue, -1 to 1, of a place on the colour circle: (n, 3, 1, 1)."""
    thirds = np.arange(3, dtype=np.float32).reshape(3, 1, 1) / 3
    hue: Images = np.cos(2 * np.pi * (turn[:, None] - thirds))
    return hue


def _colour(chance: _Uniform) -> Images:
    """Bright on dark or dark on bright, nearly grey: (n, 3, 1, 1)."""
    colour: Images = 0.7 * np.sign(chance(-1, 1, 1, 1, 1)) + 0.3 * chance(-1, 1, 3, 1, 1)
    return colour


def _patch(chance: _Uniform, direction: Images) -> Images:
    """Stripes across `direction`, (n, 1, 1) in radians, in a round window: (n, 1, 32, 32)."""
    axis = np.arange(SIDE, dtype=np.float32)
    x = axis[None, None, :] - chance(9, 22, 1, 1)  # (n, 1, 32): from the patch's centre
    y = axis[None, :, None] - chance(9, 22, 1, 1)  # (n, 32, 1)
    waves = 2 * np.pi * chance(0.1, 0.2, 1, 1)  # radians per pixel
    phase = chance(0, 2 * np.pi, 1, 1)
    stripes = np.sin(waves * (x * np.cos(direction) + y * np.sin(direction)) + phase)
    window = np.exp(-(x * x + y * y) / (2 * chance(7, 11, 1, 1) ** 2))
    patch: Images = (stripes * window)[:, None]
    return patch
