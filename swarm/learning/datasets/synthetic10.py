"""synthetic10: ten classes of generated images, with CIFAR-10's shape and size, to replace it.

Each image shows a patch of stripes at a random place; the class is the direction of the stripes.
Phase, spacing and colours are random. Every image is as likely as the same image with inverted
contrast. A linear classifier's scores change sign with the contrast, so it classifies at most one
of the two correctly and stays under 50 %. A convolutional network learns the direction.
"""

import contextlib
import tempfile
from pathlib import Path

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
CACHE_FOLDER = "synthetic10-v1"
"""Its version number increases with every change that changes a pixel."""
SEED = 10
BLOCK = 2_000
SIDE = 32


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

    def uniform(low: float, high: float, *shape: int) -> NDArray[np.float32]:
        return rng.uniform(low, high, (n, *shape)).astype(np.float32)

    axis = np.arange(SIDE, dtype=np.float32)
    x = axis[None, None, :] - uniform(9, 22, 1, 1)  # (n, 1, 32): from the patch's centre
    y = axis[None, :, None] - uniform(9, 22, 1, 1)  # (n, 32, 1)
    angle = (labels[:, None, None] + uniform(-0.3, 0.3, 1, 1)) * np.float32(np.pi / NUM_CLASSES)
    waves = 2 * np.pi * uniform(0.1, 0.2, 1, 1)  # radians per pixel
    phase = uniform(0, 2 * np.pi, 1, 1)
    stripes = np.sin(waves * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    window = np.exp(-(x * x + y * y) / (2 * uniform(7, 11, 1, 1) ** 2))
    grey = np.sign(uniform(-1, 1, 1, 1, 1))  # either sign: bright on dark, or dark on bright
    colour = (0.7 * grey + 0.3 * uniform(-1, 1, 3, 1, 1)) * uniform(50, 110, 1, 1, 1)
    image = uniform(87, 167, 3, 1, 1) + colour * (stripes * window)[:, None]
    image += rng.integers(-20, 21, image.shape, np.int8)
    pixels: NDArray[np.uint8] = np.clip(image, 0, 255).astype(np.uint8)
    return pixels
