"""Hugging Face data sets on disk, as `save_to_disk` writes them: Arrow files and descriptions.

They are read with pyarrow; the library `datasets` is not needed.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.learning.datasets import images
from swarm.learning.datasets.dataset import Inputs
from swarm.learning.datasets.raw import RawData, RawSplit
from swarm.learning.progress import OnProgress

SAMPLE_ROWS = 200
_TARGETS = ("label", "labels", "target", "class", "y")
_TEST = ("test", "validation", "valid", "val")
_DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, pa.ArrowException)
"""What damaged descriptions and Arrow files raise."""
_DICT, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"


def read(
    root: Path,
    shape: tuple[int, ...] | None,
    progress: OnProgress,
    *,
    sample: bool = False,
    target: str | None = None,
) -> RawData:
    """Read a data set, or a dictionary of splits.

    Args:
        root: The folder.
        shape: Of the session's pictures; None means the most common one.
        progress: Called while pictures are read.
        sample: Whether to read only the first examples; all targets are read.
        target: Name of the column to predict; None means that it is recognised.

    Raises:
        DataError: A file is damaged, or a column is of no kind that can be read.
    """
    try:
        train, *others = _split_folders(root)
        tables = [_table(train)]
        info = json.loads((train / _INFO).read_text(encoding="utf-8"))
        features = info["features"] or {}
        column, notes = _target(str(root), tables[0].column_names, features, target)
        names = tuple(features.get(column, {}).get("names") or ())
        test, unlabelled = _labelled(others, column, known=bool(names))
    except _DAMAGED as error:
        raise DataError(f"{root} is no data set on disk: {error}") from error
    notes += [
        f"split {name!r} is left out: none of its examples has a label" for name in unlabelled
    ]
    splits = []
    for table in [*tables, *test]:
        part = table.slice(0, SAMPLE_ROWS) if sample else table
        reader = _Reader(str(root), part, shape, progress)
        x = reader.inputs(column)
        y = _array(str(root), column, (table if sample else part)[column])
        splits.append(RawSplit(x, y if sample or reader.good is None else y[reader.good]))
        shape, notes = reader.shape, [*notes, *reader.notes]
    test_split = splits[1] if len(splits) > 1 else None
    return RawData(str(root), splits[0], test_split, names, tuple(dict.fromkeys(notes)))


class _Reader:
    """Reads the inputs of one table."""

    def __init__(
        self, called: str, table: Any, shape: tuple[int, ...] | None, progress: OnProgress
    ) -> None:
        self.shape = shape
        self.notes: list[str] = []
        self.good: NDArray[np.int64] | None = None
        """Examples whose pictures can be read; None means all."""
        self._called = called
        self._table = table
        self._progress = progress

    def inputs(self, target: str) -> Inputs:
        """All columns but the target: a picture, or texts, arrays and numbers."""
        names = [name for name in self._table.column_names if name != target]
        pictures = [name for name in names if pa.types.is_struct(self._type(name))]
        if pictures:
            left_out = [name for name in names if name != pictures[0]]
            if left_out:
                self.notes.append(f"columns left out beside the pictures: {', '.join(left_out)}")
            return self._pictures(pictures[0])
        scalars = [name for name in names if _is_number(self._type(name))]
        others = [name for name in names if name not in scalars]
        arrays = {name: self._column(name) for name in others}
        if scalars:
            columns = [self._column(name) for name in scalars]
            arrays["numbers"] = np.stack(columns, axis=1)
        if not arrays:
            raise DataError(f"{self._called} has no column beside {target!r}")
        return arrays if len(arrays) > 1 else next(iter(arrays.values()))

    def _pictures(self, name: str) -> NDArray[np.uint8]:
        rows = self._table[name].to_pylist()
        if any(row is None or row.get("bytes") is None for row in rows):
            raise DataError(
                f"{self._called}: pictures of column {name!r} are not stored in the data set"
            )
        opened = [images.from_bytes(row["bytes"]) for row in rows]
        if self.shape is None:
            self.shape, note = images.common_shape(self._called, opened[:SAMPLE_ROWS])
            self.notes += [note] if note else []
        array, good = images.read_pictures(self._called, opened, self.shape, self._progress)
        if len(good) < len(rows):
            self.notes.append(f"unreadable pictures left out: {len(rows) - len(good)}")
            self.good = good
        return array

    def _column(self, name: str) -> NDArray[Any]:
        return _array(self._called, name, self._table[name])

    def _type(self, name: str) -> Any:
        return self._table.schema.field(name).type


def _split_folders(root: Path) -> list[Path]:
    """The training split, then those that may be the test split, likeliest first."""
    if not (root / _DICT).is_file():
        return [root]
    splits = json.loads((root / _DICT).read_text(encoding="utf-8"))["splits"]
    train = "train" if "train" in splits else splits[0]
    tests = [name for name in _TEST if name in splits and name != train]
    return [root / name for name in (train, *tests)]


def _labelled(folders: Sequence[Path], target: str, *, known: bool) -> tuple[list[Any], list[str]]:
    """The first split with labels, if any, and the names of those before it that have none.

    Data sets for contests hide the labels of their test split: all of them are -1.
    """
    unlabelled: list[str] = []
    for folder in folders:
        table = _table(folder)
        if not known or target not in table.column_names:
            return [table], unlabelled
        if not table.num_rows or (table[target].to_numpy() >= 0).any():
            return [table], unlabelled
        unlabelled.append(folder.name)
    return [], unlabelled


def _table(folder: Path) -> Any:
    files = json.loads((folder / _STATE).read_text(encoding="utf-8"))["_data_files"]
    parts = []
    for file in files:
        with pa.memory_map(str(folder / Path(file["filename"]).name)) as mapped:
            parts.append(pa.ipc.open_stream(mapped).read_all())
    table = pa.concat_tables(parts)
    table.validate(full=True)  # a damaged file may point outside itself
    return table


def _target(
    called: str, columns: Sequence[str], features: dict[str, Any], wanted: str | None
) -> tuple[str, list[str]]:
    if wanted is not None:
        if wanted not in columns:
            raise DataError(f"{called} has no column {wanted!r}; it has {', '.join(columns)}")
        return wanted, []
    of_classes = [name for name in columns if features.get(name, {}).get("_type") == "ClassLabel"]
    named = [name for name in columns if name.lower() in _TARGETS]
    if of_classes or named:
        return (of_classes or named)[0], []
    return columns[-1], [f"the target is {columns[-1]!r}, the last column"]


def _array(called: str, name: str, column: Any) -> NDArray[Any]:
    """A column of numbers, texts or arrays of one shape."""
    if column.null_count:
        raise DataError(f"{called}: column {name!r} has {column.null_count} missing values")
    kind, shape = column.type, [len(column)]
    if isinstance(kind, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks])
        kind = column.type
    while pa.types.is_list(kind) or pa.types.is_large_list(kind):
        array = column.combine_chunks()
        lengths = np.unique(np.diff(array.offsets.to_numpy()))
        if len(lengths) > 1:
            raise DataError(
                f"{called}: column {name!r} has arrays of {lengths[0]} to {lengths[-1]} values: "
                "pad them to one length"
            )
        shape.append(int(lengths[0]) if len(lengths) else 0)
        column, kind = pa.chunked_array([array.flatten()]), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array(column.to_pylist(), object).reshape(shape)
    if not _is_number(kind):
        raise DataError(f"{called}: column {name!r} is of type {kind}, which cannot be read")
    return np.asarray(column.to_numpy()).reshape(shape)


def _is_number(kind: Any) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )
