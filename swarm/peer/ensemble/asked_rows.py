"""read_rows(): the rows that a user asks about, in the form in which they travel.

One row must be quick, so nothing here needs pandas: a data frame is read through its own methods,
and a row from a web form is a mapping of a few cells.
"""

import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.columns import CATEGORY, NUMBER, TARGET, Column, target_of
from swarm.core.errors import DataError
from swarm.core.suggestions import did_you_mean
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.payloads import encode_cells, encode_rows
from swarm.learning.ensemble.row_tables import as_examples, features_of
from swarm.learning.tables.reading import read_sheet
from swarm.learning.tables.sheet import Sheet
from swarm.peer.ensemble.asked_cells import read_cells

COMPARED_MAX = 256
"""Most names that are compared with one that is missing, to find a misspelt one."""
_ARRAYS = ("x", "x_test", "x_train")


@dataclass(frozen=True, slots=True, eq=False)
class AskedRows:
    """Rows that were checked against the ensemble's columns or input shape."""

    parts: tuple[NDArray[Any], ...]
    """For a table one array of shape (n,) for each column of the spec without the target, in
    their order: float64 with NaN where missing (dates: days since 1970-01-01), or objects, text or
    None. For arrays one of shape (n, *input_shape)."""
    notes: tuple[str, ...] = ()
    """Which columns were left out or are missing, in words."""
    truth: NDArray[np.float64] | None = None
    """Shape (n,): the target where it was given, else NaN: numbers in the target's unit, or
    indices of classes. It is not sent."""

    def __len__(self) -> int:
        return len(self.parts[0])

    def only(self, first: int, count: int) -> "AskedRows":
        """Some of the rows."""
        rows = slice(first, first + count)
        truth = self.truth[rows] if self.truth is not None else None
        return AskedRows(tuple(part[rows] for part in self.parts), self.notes, truth)


def read_rows(source: Any, spec: EnsembleSpec) -> AskedRows:
    """Read and check rows.

    Args:
        source: For a table: a data frame, a `Sheet`, a mapping from column names to cells or to
            sequences of cells, or a sequence of such mappings, one a row. The target may be there;
            it is not sent. For arrays: numbers of shape (n, *input_shape), or one example.
        spec: The ensemble.

    Raises:
        DataError: A rule is broken; the message names the column, the row and the value.
    """
    if spec.input_shape:
        return _read_array(source, spec)
    table = _as_columns(source, spec)
    wanted = features_of(spec)
    notes = _check_names(list(table), spec, wanted)
    lengths = {name: len(cells) for name, cells in table.items()}
    num_rows = next(iter(lengths.values()))
    if not num_rows:
        raise DataError("the rows must be at least 1, got 0")
    for name, length in lengths.items():
        if length != num_rows:
            raise DataError(f"column {name!r:.80} must have {num_rows} cells, got {length}")
    return AskedRows(
        tuple(read_cells(column, table.get(column.name), num_rows) for column in wanted),
        tuple(notes),
        _read_truth(table, num_rows, spec),
    )


def read_rows_file(path: Path, spec: EnsembleSpec) -> AskedRows:
    """Read rows from a file: a table, or `.npz` if the ensemble takes arrays.

    Raises:
        DataError: The file is missing or damaged, or its rows break a rule.
    """
    return read_arrays(path, spec) if spec.input_shape else read_rows(read_sheet(path), spec)


def read_arrays(path: Path, spec: EnsembleSpec) -> AskedRows:
    """Read rows of an ensemble of arrays from an `.npz` file; nothing is unpickled.

    Raises:
        DataError: It is no such file, or has neither `x`, `x_test` nor `x_train`.
    """
    try:
        with path.open("rb") as opened, np.lib.npyio.NpzFile(opened, allow_pickle=False) as file:
            for name in _ARRAYS:
                if name in file.files:
                    return read_rows(file[name], spec)
            found = ", ".join(file.files[:10])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"ensemble {spec.name!r} takes arrays: {path} must be an .npz file, got {error}"
        ) from error
    raise DataError(f"{path} must hold {', '.join(_ARRAYS[:-1])} or {_ARRAYS[-1]}, got {found}")


def encode_asked(rows: AskedRows, spec: EnsembleSpec) -> bytes:
    """The bytes that travel to members; see `swarm.learning.ensemble.payloads`."""
    if spec.input_shape:
        return encode_rows(rows.parts[0], spec)
    return encode_cells(rows.parts, spec)


def join_rows(several: Sequence[AskedRows]) -> AskedRows:
    """All rows together, in order."""
    if len(several) == 1:
        return several[0]
    parts = zip(*(rows.parts for rows in several), strict=True)
    truth = None
    if any(rows.truth is not None for rows in several):
        truth = np.concatenate([_truth_of(rows) for rows in several])
    return AskedRows(tuple(np.concatenate(part) for part in parts), truth=truth)


def _truth_of(rows: AskedRows) -> NDArray[np.float64]:
    return rows.truth if rows.truth is not None else np.full(len(rows), np.nan)


def _read_truth(
    table: dict[str, Any], num_rows: int, spec: EnsembleSpec
) -> NDArray[np.float64] | None:
    target = target_of(spec.columns)
    if target is None or target.name not in table:
        return None
    kind = CATEGORY if spec.classes else NUMBER
    cells = read_cells(Column(target.name, kind), table[target.name], num_rows)
    if not spec.classes:
        return np.asarray(cells, np.float64)
    places = {label: float(place) for place, label in enumerate(spec.classes)}
    return np.array([places.get(label, math.nan) for label in cells.tolist()])


def _read_array(source: Any, spec: EnsembleSpec) -> AskedRows:
    try:
        array = np.asarray(source)
    except ValueError as error:  # lists of different lengths
        raise DataError(f"rows must be one array of numbers: {error}") from error
    one = array[np.newaxis] if array.shape == spec.input_shape else array
    return AskedRows((as_examples(one, spec),))


def _as_columns(source: Any, spec: EnsembleSpec) -> dict[str, Any]:
    """Cells by column; each value has a length."""
    if isinstance(source, Sheet):
        labels = TARGET if spec.classes else CATEGORY
        texts = {column.name for column in spec.columns if column.kind in (CATEGORY, labels)}
        return {
            column.name: column.texts() if column.name in texts else column.values
            for column in source.columns
        }
    if hasattr(source, "columns") and hasattr(source, "to_dict"):  # a data frame
        return {str(name).strip(): source[name].to_numpy() for name in source.columns}
    if isinstance(source, Mapping):
        return {
            str(name).strip(): cells if _is_list(cells) else [cells]
            for name, cells in source.items()
        }
    if _is_list(source) and len(source) and all(isinstance(row, Mapping) for row in source):
        names = dict.fromkeys(str(name) for row in source for name in row)
        known = {column.name for column in spec.columns}
        unused = [None] * len(source)  # one list for all columns that are left out
        return {
            name.strip(): [row.get(name) for row in source] if name.strip() in known else unused
            for name in names
        }
    columns = _some([column.name for column in features_of(spec)])
    raise DataError(
        f"ensemble {spec.name!r} needs a data frame, or mappings of columns ({columns}), "
        f"got {type(source).__name__}"
    )


def _is_list(cells: Any) -> bool:
    return isinstance(cells, Sequence | np.ndarray) and not isinstance(cells, str | bytes)


def _check_names(given: list[str], spec: EnsembleSpec, wanted: Sequence[Column]) -> list[str]:
    """Check which columns are there; say in words which are not, or are not needed."""
    if len(set(given)) < len(given):
        raise DataError("names of columns must differ")
    known = {column.name for column in spec.columns}
    extra = [name for name in given if name not in known]
    absent = [column.name for column in wanted if column.name not in set(given)]
    if len(absent) == len(wanted):
        raise DataError(
            f"the rows have none of the ensemble's {len(wanted)} columns "
            f"({_some(absent)}), got {_some(given) or 'no columns'}"
        )
    for name in absent:
        if close := did_you_mean(name, extra[:COMPARED_MAX]):
            raise DataError(f"the rows have no column {name!r}{close}")
    notes = []
    if absent:
        notes.append(f"asked without {_some(absent)}: taken as missing")
    if extra:
        notes.append(f"not needed and left out: {_some(extra)}")
    return notes


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"{name:.40}" for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
