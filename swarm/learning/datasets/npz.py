"""Reads x_train, y_train and optionally x_test, y_test from an `.npz` file.

Several inputs are arrays `x_train_NAME` and `x_test_NAME`. The names `x` and `y` also mean the
training split. Texts may be packed: UTF-8 bytes and where each text ends, for an array of texts
takes four bytes for each character of its longest text; see `packed_texts`.
"""

import contextlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.learning.datasets import examples, targets
from swarm.learning.datasets.description import DataDescription
from swarm.learning.datasets.finite import check_finite
from swarm.learning.datasets.raw import RawData, RawSplit

SAMPLE_BYTES = 32 << 20
"""Of each array of examples, this part is read to describe it."""
BYTES_MAX = 32 << 30
"""Of all arrays, unpacked: a small file of zeros must not fill the memory."""
SPLITS = ("train", "test")
_OTHER_NAMES = {"x": "x_train", "y": "y_train"}
_UTF8, _ENDS = ".utf8", ".ends"
_UNREADABLE = (OSError, ValueError, EOFError, MemoryError, RuntimeError)
"""Damage to a length, a compression method or a password flag can raise any of these."""
_DAMAGED = (*_UNREADABLE, zipfile.BadZipFile, zlib.error)


def read(path: Path, called: str = "", *, sample: bool = False) -> RawData:
    """Read the arrays; nothing is unpickled.

    Args:
        path: The file.
        called: Its name in messages; the path if empty.
        sample: Whether to read only the first examples, up to `SAMPLE_BYTES`. All targets are
            read.

    Raises:
        DataError: The file is missing or damaged, or arrays are missing or differ in length.
    """
    called = called or str(path)
    if not path.is_file():
        raise DataError(f"{called} does not exist")
    if not path.stat().st_size:
        raise DataError(f"{called} is empty")
    with _explained(called), zipfile.ZipFile(path) as archive:
        _check_size(called, archive)
        members = _members(called, archive)
        splits = [_read_split(called, archive, members, split, sample) for split in SPLITS]
    train, test = splits
    if train is None:
        raise DataError(f"{called} must hold x_train and y_train, {_missing(members)} is missing")
    return RawData(called, train, test)


def load_training(path: Path, called: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read inputs and labels of the whole training split, for cross-validation.

    Args:
        path: The file.
        called: The file's name in error messages.

    Returns:
        Inputs: uint8 for images, float64 for tables of a type more precise than float32, else
        float32. Labels: int64 or str, shape (n,).

    Raises:
        DataError: The file or an array breaks a rule; the message names both.
    """
    raw = read(path, called)
    target = targets.recognise(called, raw.train.y, "classification")
    y = raw.train.y.reshape(len(raw.train.y), -1)
    labels = y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0]
    labels = labels.astype(np.int64) if labels.dtype.kind in "iuf" else targets.texts(labels)
    x = raw.train.x
    if isinstance(x, dict) or examples.is_text(x):
        raise DataError(f"{called}: x_train must be one array of numbers")
    examples.check_numbers(called, "x_train", x)
    if x.ndim == 2 and np.result_type(x, np.float32) != np.float32:
        exact = x.astype(np.float64)
        check_finite(called, "x_train", exact, np.finfo(np.float64).max)
        return exact, labels
    shapes = examples.recognise(called, x)
    description = DataDescription(shapes.input_shape, target.num_classes)
    return np.asarray(examples.encode(called, x, description)), labels


def write(path: Path, arrays: Mapping[str, NDArray[Any]], *, compressed: bool = False) -> None:
    """Write arrays by the names that `read` takes; texts are packed."""
    packed: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        is_text = array.dtype == object or (array.dtype.kind == "U" and name.startswith("x"))
        if is_text and array.ndim and array.size == len(array):
            packed |= packed_texts(name, array)
        else:
            packed[name] = array.astype(str) if array.dtype == object else array
    with path.open("wb") as file:
        save: Any = np.savez_compressed if compressed else np.savez
        save(file, **packed)


def packed_texts(name: str, texts: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Texts as bytes: `NAME.utf8` and `NAME.ends`, the place after the last byte of each text.

    Args:
        name: Of the array.
        texts: Shape (n,) or (n, 1), of str.
    """
    encoded = [text.encode() for text in texts.reshape(len(texts)).tolist()]
    return {
        name + _UTF8: np.frombuffer(b"".join(encoded), np.uint8),
        name + _ENDS: np.cumsum([len(text) for text in encoded]),
    }


@contextlib.contextmanager
def _explained(called: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise DataError(
            f"{called} must be an .npz file without pickled objects: {error}"
        ) from error


def _check_size(called: str, archive: zipfile.ZipFile) -> None:
    size_bytes = sum(member.file_size for member in archive.infolist())
    if size_bytes > BYTES_MAX:
        raise DataError(
            f"{called} holds {size_bytes >> 30:,} GiB, arrays must have at most "
            f"{BYTES_MAX >> 30} GiB"
        )


def _members(called: str, archive: zipfile.ZipFile) -> dict[str, str]:
    """Members of the archive by the names of their arrays."""
    members = {}
    for member in archive.namelist():
        name = member.removesuffix(".npy")
        members[_OTHER_NAMES.get(name.lower(), name)] = member
    for split in SPLITS:
        x, y = _inputs(members, split), f"y_{split}" in members
        if bool(x) != (y or f"y_{split}{_UTF8}" in members):
            if split == "train":
                raise DataError(
                    f"{called} must hold x_train and y_train, {_missing(members)} is missing"
                )
            raise DataError(f"{called} must hold both x_test and y_test, or neither")
    return members


def _missing(members: Mapping[str, str]) -> str:
    return "y_train" if _inputs(members, "train") else "x_train"


def _inputs(members: Mapping[str, str], split: str) -> dict[str, str]:
    """Names of a split's inputs, by the names of their arrays; one input has the name ''."""
    whole = f"x_{split}"
    names = sorted({name.removesuffix(_UTF8).removesuffix(_ENDS) for name in members})
    if whole in names:
        return {whole: ""}
    return {n: n.removeprefix(f"{whole}_") for n in names if n.startswith(f"{whole}_")}


def _read_split(
    called: str,
    archive: zipfile.ZipFile,
    members: Mapping[str, str],
    split: str,
    sample: bool,
) -> RawSplit | None:
    inputs = _inputs(members, split)
    if not inputs:
        return None
    y, num_labels = _read_array(called, archive, members, f"y_{split}", sample=False)
    arrays = {}
    for whole, name in inputs.items():
        array, length = _read_array(called, archive, members, whole, sample=sample)
        if length != num_labels:
            raise DataError(
                f"{called}: {whole} has {length} examples but y_{split} has {num_labels}"
            )
        arrays[name] = array
    return RawSplit(next(iter(arrays.values())) if len(arrays) == 1 else arrays, y)


def _read_array(
    called: str,
    archive: zipfile.ZipFile,
    members: Mapping[str, str],
    name: str,
    *,
    sample: bool,
) -> tuple[NDArray[Any], int]:
    """An array, or its first examples, and how many examples the whole array has."""
    if name + _UTF8 in members:
        return _read_texts(called, archive, members, name, sample=sample)
    if not members[name].endswith(".npy"):
        raise DataError(f"{called}: {name} must be an array")
    size_bytes = SAMPLE_BYTES if sample else None
    with archive.open(members[name]) as file:
        try:
            return _read_npy(file, size_bytes)
        except ValueError as error:
            raise DataError(f"{called}: {name} cannot be read: {error}") from error


def _read_npy(file: Any, size_bytes: int | None) -> tuple[NDArray[Any], int]:
    start = np.lib.format.read_magic(file)
    read_header = (
        np.lib.format.read_array_header_1_0
        if start == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, is_fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects; save numbers, or texts with dtype=str")
    count = shape[0] if shape else 1
    row = int(np.prod(shape[1:], dtype=np.int64))
    rows = count
    if size_bytes is not None and not (is_fortran and len(shape) > 1):
        rows = min(count, max(1, size_bytes // max(1, row * dtype.itemsize)))
    data = file.read(rows * row * dtype.itemsize)
    array = np.frombuffer(data, dtype, count=rows * row)
    if is_fortran:
        return array.reshape(shape[::-1]).T, count
    return array.reshape((rows, *shape[1:]) if shape else ()), count


def _read_texts(
    called: str,
    archive: zipfile.ZipFile,
    members: Mapping[str, str],
    name: str,
    *,
    sample: bool,
) -> tuple[NDArray[Any], int]:
    if name + _ENDS not in members:
        raise DataError(f"{called}: {name}{_ENDS} is missing")
    with archive.open(members[name + _ENDS]) as file:
        ends, _ = _read_npy(file, None)
    with archive.open(members[name + _UTF8]) as file:
        packed, _ = _read_npy(file, SAMPLE_BYTES if sample else None)
    data, starts = packed.tobytes(), np.concatenate([[0], ends[:-1]])
    here = ends <= len(data)
    texts = [data[a:b].decode() for a, b in zip(starts[here], ends[here], strict=True)]
    return np.array(texts, object), len(ends)
