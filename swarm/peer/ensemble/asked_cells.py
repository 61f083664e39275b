"""read_cells(): the cells of one column that a user asks about, by the rules of all tables."""

import math
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.columns import CATEGORY, DATE, Column
from swarm.core.errors import DataError
from swarm.learning.tables.cells import (
    MISSING_NUMBER,
    NUMBER_MAX,
    day,
    is_missing,
    number,
    shown_number,
)

_US_PER_DAY = 86_400 * 10**6


def read_cells(column: Column, cells: Any, num_rows: int) -> NDArray[Any]:
    """Read the cells of one column.

    Args:
        column: What the ensemble says of it.
        cells: Cells as a user has them; None if there are none.
        num_rows: How many.

    Returns:
        Shape (n,): float64 with NaN where missing (dates: days since 1970-01-01); or for a
        category objects, text or None.

    Raises:
        DataError: A cell means no such value; the message names row, column and cell.
    """
    if column.kind == CATEGORY:
        return _texts(column, [None] * num_rows if cells is None else cells)
    if cells is None:
        return np.full(num_rows, np.nan)
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "iufb":
        values = cells.astype(np.float64)
    elif isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
        moments = cells.astype("datetime64[us]")
        values = np.where(np.isnat(moments), np.nan, moments.astype(np.int64) / _US_PER_DAY)
    else:
        values = np.array([_number(column, cell, row) for row, cell in enumerate(cells, 1)])
    wrong = np.isinf(values) | (np.abs(values) > NUMBER_MAX)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"row {row + 1}: column {column.name!r} must be within {NUMBER_MAX:g} of 0, "
            f"got {values[row]:g}"
        )
    return values


def _number(column: Column, cell: Any, row: int) -> float:
    """A number, or the days of a date; NaN where missing."""
    if isinstance(cell, int) and abs(cell) > NUMBER_MAX:
        return math.inf  # a float could not hold it; the caller refuses it with its row
    if isinstance(cell, bool | int | float | np.number | np.bool_):
        return float(cell)
    if _is_nothing(cell):
        return math.nan
    text = cell.isoformat() if isinstance(cell, date | datetime) else str(cell).strip()
    if is_missing(text) or text.lower() in MISSING_NUMBER:
        return math.nan
    value = day(text) if column.kind == DATE else None
    value = number(text) if value is None else value
    if value is None:
        word = "dates" if column.kind == DATE else "numbers"
        raise DataError(f"row {row}: column {column.name!r} has {word}, got {text!r:.80}")
    return value


def _texts(column: Column, cells: Any) -> NDArray[Any]:
    texts = np.empty(len(cells), object)
    for row, cell in enumerate(cells):
        texts[row] = _text(column, cell, row + 1)
    return texts


def _text(column: Column, cell: Any, row: int) -> str | None:
    if isinstance(cell, str):
        text = cell.strip()
    elif isinstance(cell, bool | np.bool_):
        text = str(cell).lower()
    elif isinstance(cell, int) and abs(cell) > NUMBER_MAX:
        raise DataError(
            f"row {row}: column {column.name!r} must be within {NUMBER_MAX:g} of 0 where it is a "
            "number"
        )
    elif isinstance(cell, int | float | np.number):
        text = "" if math.isnan(cell) else shown_number(float(cell))
    elif _is_nothing(cell):
        text = ""
    elif isinstance(cell, date | datetime):
        text = cell.isoformat()
    else:
        raise DataError(f"row {row}: column {column.name!r} has texts, got {type(cell).__name__}")
    return None if is_missing(text) else text


def _is_nothing(cell: Any) -> bool:
    """None, and what pandas takes for it: NaT and NA, whose comparison is never true."""
    return cell is None or type(cell).__name__ in ("NaTType", "NAType")
