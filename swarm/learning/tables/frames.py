"""Sheets from pandas data frames, and from the files that pandas reads: Parquet and Excel.

Columns of numbers, dates and booleans keep their type. Other columns become text, cell by cell,
and then mean what the same cells mean in a CSV file.
"""

import datetime
import math
import zipfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from swarm.core.errors import DataError
from swarm.learning.tables.cells import DAY_S, NUMBER_MAX, shown_number
from swarm.learning.tables.grid import Grid, check_names
from swarm.learning.tables.limits import check_cells, check_unpacked
from swarm.learning.tables.recognition import Recogniser
from swarm.learning.tables.sheet import Sheet, SheetColumn

_NS_PER_DAY = DAY_S * 1e9
_US_PER_DAY = DAY_S * 1e6


def read_parquet(path: Path, label: str) -> Sheet:
    """Read a Parquet file."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - takes a while; most tables are CSV

    file = pq.ParquetFile(path)
    check_cells(file.metadata.num_rows, file.metadata.num_columns, label)
    return from_frame(file.read().to_pandas(), label)


def read_excel(path: Path, label: str) -> Sheet:
    """Read the first sheet of an Excel file; its first row with values has the names."""
    with zipfile.ZipFile(path) as archive:  # a workbook is XML that was packed
        check_unpacked(sum(member.file_size for member in archive.infolist()), label)
    with pd.ExcelFile(path, engine="openpyxl") as book:
        sheets = [str(name) for name in book.sheet_names]
        frame = pd.read_excel(book, sheet_name=0, header=None, dtype=object, na_filter=False)
    check_cells(*frame.shape, label)
    rows = [[_text(cell, label) for cell in row] for row in frame.to_numpy(object).tolist()]
    filled = [number for number, row in enumerate(rows) if any(row)]
    if not filled:
        raise DataError(f"{label} is empty")
    names, below = rows[filled[0]], [number for number in filled if number > filled[0]]
    columns = list(zip(*(rows[number] for number in below), strict=True))
    lines = np.array(below, np.int64) + 1
    details = f"sheet {sheets[0]!r}" if len(sheets) > 1 else ""
    return Grid(label, names, columns or [()] * len(names), lines, "row", details).sheet()


def from_frame(frame: Any, label: str) -> Sheet:
    """Make a sheet from a DataFrame; its index is left out.

    Raises:
        DataError: It is no DataFrame, or breaks a rule.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{label} must be a pandas DataFrame, got {type(frame).__name__}")
    check_cells(*frame.shape, label)
    names = [str(name).strip() for name in frame.columns]
    series = [frame.iloc[:, place] for place in range(frame.shape[1])]
    return _from_series(names, series, label)


def from_arrays(arrays: Mapping[str, Any], label: str) -> Sheet:
    """Make a sheet from arrays of one length, by column name.

    Raises:
        DataError: An array has another shape or holds something else than numbers, dates or texts.
    """
    columns = {str(name).strip(): np.asarray(array) for name, array in arrays.items()}
    for name, array in columns.items():
        if array.ndim != 1 or len(array) != len(next(iter(columns.values()))):
            raise DataError(
                f"{label}: all columns must be arrays of one length, {name!r} has shape "
                f"{array.shape}"
            )
    series = [pd.Series(array) for array in columns.values()]
    return _from_series(list(columns), series, label)


def _from_series(names: Sequence[str], series: Sequence["pd.Series[Any]"], label: str) -> Sheet:
    check_names(names, label, may_be_numbers=True)
    num_rows = len(series[0])
    if not num_rows:
        raise DataError(f"{label} must have at least 1 row")
    lines = np.arange(1, num_rows + 1)
    typed: dict[str, SheetColumn] = {}
    texts: dict[str, Sequence[str]] = {}
    for name, one in zip(names, series, strict=True):
        column = _typed(name, one, label)
        if column is not None:
            typed[name] = column
        else:
            texts[name] = [_text(cell, label, name) for cell in one.astype(object).tolist()]
    found = Recogniser(label, "row", lines).recognise(
        list(texts), list(texts.values()), commas_likely=False
    )
    typed |= {column.name: column for column in found.columns}
    return Sheet(label, tuple(typed[name] for name in names), lines, "row", notes=found.notes)


def _typed(name: str, series: "pd.Series[Any]", label: str) -> SheetColumn | None:
    """A column of numbers or dates; None if it must be read as text."""
    dtype = series.dtype
    if isinstance(dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        if getattr(series.dtype, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        # In nanoseconds, dates would end in 2262, and later ones become earlier ones.
        moments = series.to_numpy("datetime64[us]")
        days = moments.astype(np.int64) / _US_PER_DAY
        return SheetColumn(name, "date", np.where(np.isnat(moments), np.nan, days))
    if pd.api.types.is_timedelta64_dtype(dtype):
        spans = series.to_numpy("timedelta64[ns]")
        days = spans.astype(np.int64) / _NS_PER_DAY
        return SheetColumn(name, "number", np.where(np.isnat(spans), np.nan, days))
    if pd.api.types.is_complex_dtype(dtype):
        raise DataError(f"{label}: column {name!r} must hold numbers, dates or texts, got {dtype}")
    if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        return None
    values = series.to_numpy(np.float64, na_value=np.nan)
    wrong = np.isinf(values) | (np.abs(values) > NUMBER_MAX)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{label}, row {row + 1}: column {name!r} must be within {NUMBER_MAX:g} of 0, "
            f"got {values[row]:g}"
        )
    return SheetColumn(name, "number", values)


def _text(cell: Any, label: str, column: str = "") -> str:
    """A cell as it would stand in a CSV file; empty where it is missing."""
    if isinstance(cell, str):
        return cell.replace("\0", "").encode("utf-8", "replace").decode().strip()
    if isinstance(cell, bytes):
        return _text(cell.decode("utf-8", "replace"), label)
    if cell is None or cell is pd.NaT or cell is pd.NA:
        return ""
    if isinstance(cell, bool | np.bool_ | int | np.integer):
        return str(cell).lower()
    if isinstance(cell, float | np.floating | Decimal):
        return "" if math.isnan(cell) else shown_number(float(cell))
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    of_column = f": column {column!r}" if column else ""
    raise DataError(
        f"{label}{of_column} must hold numbers, dates or texts, got {type(cell).__name__}"
    )
