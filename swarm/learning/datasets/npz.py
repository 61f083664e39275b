"""own: x_train, y_train and optionally x_test, y_test from the peer's own `.npz` file."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.learning.datasets.dataset import ArrayExamples, Dataset, Split, split_at_random
from swarm.learning.datasets.description import DataDescription

TEST_SHARE = 0.2
SPLIT_SEED = 0

_UNREADABLE = (OSError, ValueError, zipfile.BadZipFile, EOFError)


def load(path: Path) -> Dataset:
    """Read and check the arrays; without a test split, hold out a fifth of the training split.

    Arrays of shape (n, height, width) are grey images. All types except uint8 become float32.

    Raises:
        DataError: The file or an array breaks a rule; the message names both.
    """
    arrays = _read(path)
    x, y = _checked(str(path), arrays, "train")
    if "x_test" in arrays:
        x_test, y_test = _checked(str(path), arrays, "test")
        if x_test.shape[1:] != x.shape[1:]:
            raise DataError(
                f"{path}: x_test must have examples of shape {x.shape[1:]} like x_train, "
                f"got {x_test.shape[1:]}"
            )
    else:
        if len(y) < 2:
            raise DataError(f"{path}: x_train must have at least 2 examples, got {len(y)}")
        train, test = split_at_random(len(y), TEST_SHARE, SPLIT_SEED)
        x, y, x_test, y_test = x[train], y[train], x[test], y[test]
    return Dataset(
        label=f"own data ({path.name})",
        stand_in=False,
        description=DataDescription(tuple(x.shape[1:]), int(max(y.max(), y_test.max())) + 1),
        train=Split(ArrayExamples(x), y),
        test=Split(ArrayExamples(x_test), y_test),
    )


def load_training(path: Path, called: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Read inputs and labels of the whole training split, for cross-validation.

    Tables become float64 if their type is more precise than float32; for images see `load`.

    Args:
        path: The file.
        called: The file's name in error messages.

    Raises:
        DataError: The file or an array breaks a rule; the message names both.
    """
    arrays = _read(path, only=("x_train", "y_train"), called=called)
    return _checked(called, arrays, "train", exact_tables=True)


def describe(path: Path) -> DataDescription:
    """Describe the data from its labels and the header of its examples.

    Raises:
        DataError: The file cannot be read, or an array is missing or malformed.
    """
    arrays = _read(path, only=("y_train", "y_test"))
    y = np.concatenate([_checked_labels(str(path), name, arrays[name]) for name in sorted(arrays)])
    shape = _header_shape(path, "x_train")
    if len(shape) == 3:
        shape = (*shape, 1)
    return DataDescription(shape[1:], int(y.max()) + 1)


def _read(
    path: Path, only: tuple[str, ...] | None = None, called: str = ""
) -> dict[str, NDArray[Any]]:
    called = called or str(path)
    if not path.is_file():
        raise DataError(f"{called} does not exist")
    try:
        with path.open("rb") as opened, np.lib.npyio.NpzFile(opened, allow_pickle=False) as file:
            _check_names(called, file.files)
            arrays = {name: file[name] for name in file.files if only is None or name in only}
    # Damage to a length, a compression method or a password flag can raise any of these.
    except (*_UNREADABLE, zlib.error, MemoryError, RuntimeError) as error:
        raise DataError(
            f"{called} must be an .npz file without pickled objects: {error}"
        ) from error
    _check_arrays(called, arrays)
    return arrays


def _check_arrays(called: str, arrays: dict[str, Any]) -> None:
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # another member of the archive
            raise DataError(f"{called}: {name} must be an array")


def _check_names(called: str, names: list[str]) -> None:
    for name in ("x_train", "y_train"):
        if name not in names:
            raise DataError(f"{called} must hold x_train and y_train, {name} is missing")
    if ("x_test" in names) != ("y_test" in names):
        raise DataError(f"{called} must hold both x_test and y_test, or neither")


def _header_shape(path: Path, name: str) -> tuple[int, ...]:
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            return tuple(read(file)[0])
        except ValueError as error:
            raise DataError(f"{path}: {name} is malformed: {error}") from error


def _checked(
    called: str, arrays: dict[str, NDArray[Any]], split: str, *, exact_tables: bool = False
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    x, y = arrays[f"x_{split}"], _checked_labels(called, f"y_{split}", arrays[f"y_{split}"])
    if x.ndim < 2:
        raise DataError(
            f"{called}: x_{split} must have an axis of examples and more, got {x.shape}"
        )
    if len(x) and not x.size:
        raise DataError(f"{called}: an example of x_{split} must not be empty, got {x.shape}")
    if len(x) != len(y):
        raise DataError(f"{called}: x_{split} has {len(x)} examples but y_{split} has {len(y)}")
    if x.dtype.kind not in "uif":
        raise DataError(f"{called}: x_{split} must hold numbers, got {x.dtype}")
    if x.dtype != np.uint8:
        exact = exact_tables and x.ndim == 2 and np.result_type(x, np.float32) != np.float32
        x = x.astype(np.float64 if exact else np.float32)
        if not np.isfinite(x).all():
            raise DataError(f"{called}: x_{split} must be finite, it holds an infinity or NaN")
    return (x[..., np.newaxis] if x.ndim == 3 else x), y


def _checked_labels(called: str, name: str, y: NDArray[Any]) -> NDArray[np.int64]:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or y.dtype.kind not in "ui":
        raise DataError(f"{called}: {name} must be integers of shape (n,), got {y.dtype}{y.shape}")
    if len(y) == 0:
        raise DataError(f"{called}: {name} must have at least 1 label, got 0")
    if y.min() < 0:
        raise DataError(f"{called}: {name} must hold labels from 0, got {y.min()}")
    return y.astype(np.int64)
