"""The official binary layout of CIFAR-10: rows of a label byte and 3 x 32 x 32 pixel bytes.

It needs no pickle, and rows can be memory-mapped. Source: the data set's home page, "binary
version".
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.learning.datasets.dataset import Dataset, Split
from swarm.learning.datasets.description import DataDescription

FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST_FILES = ("test_batch.bin",)
ROWS_PER_FILE = 10_000
ROW_BYTES = 1 + 3 * 32 * 32
FILE_BYTES = ROWS_PER_FILE * ROW_BYTES
NUM_CLASSES = 10


class BinaryExamples:
    """Images in files of this layout, read when they are needed."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._paths = paths

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Copy images as uint8 (n, 32, 32, 3). See `Examples.take`."""
        images = np.empty((len(indices), 32, 32, 3), np.uint8)
        for number, path in enumerate(self._paths):
            here = np.flatnonzero(indices // ROWS_PER_FILE == number)
            rows = map_rows(path)[indices[here] % ROWS_PER_FILE, 1:]
            images[here] = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return images


def read(folder: Path, label: str, *, stand_in: bool) -> Dataset:
    """Read the labels in a folder; the images stay in the files.

    Raises:
        DataError: A file is missing or has another layout; the message names it.
    """
    return Dataset(
        label=label,
        stand_in=stand_in,
        description=DataDescription((32, 32, 3), NUM_CLASSES),
        train=read_split(folder, TRAIN_FILES),
        test=read_split(folder, TEST_FILES),
    )


def map_rows(path: Path) -> NDArray[np.uint8]:
    """Memory-map a file as uint8 (10,000, 3,073).

    Raises:
        DataError: The file is missing or has the wrong size.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes != FILE_BYTES:
            raise DataError(
                f"{path} is damaged: it must have {FILE_BYTES} bytes, got {size_bytes}"
            )
        return np.memmap(path, np.uint8, mode="r", shape=(ROWS_PER_FILE, ROW_BYTES))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}") from error


def read_split(folder: Path, files: tuple[str, ...]) -> Split:
    """Read the labels of one split. See `read`."""
    paths = tuple(folder / name for name in files)
    labels = np.concatenate([_labels(path) for path in paths])
    return Split(BinaryExamples(paths), labels)


def _labels(path: Path) -> NDArray[np.int64]:
    labels = map_rows(path)[:, 0].astype(np.int64)
    if labels.max() >= NUM_CLASSES:
        raise DataError(f"{path} is damaged: labels must be below 10, got {labels.max()}")
    return labels
