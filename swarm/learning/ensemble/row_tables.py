"""Rows as members take them: frames or arrays of one form, by the spec's columns.

`CodedTable` holds the same cells as a frame of `as_frame` in a few arrays, for one row is to be
answered in less than a millisecond.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from swarm.core.columns import CATEGORY, DATE, NUMBER, TARGET, Column
from swarm.core.errors import DataError
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.image_shape import is_image_shape
from swarm.learning.tables.cells import NUMBER_MAX, number
from swarm.learning.tables.reading import read_sheet
from swarm.learning.tables.sheet import Sheet, SheetColumn

Rows = pd.DataFrame | NDArray[Any]
"""Decoded rows: a frame with the spec's columns in order (numbers and dates float64, categories
objects: str or None), or an array of shape (n, *input_shape), float32."""
PIXEL_MAX = 255
_DUE = {NUMBER: "numbers", DATE: "dates, as in 2020-01-31"}


@dataclass(frozen=True, slots=True, eq=False)
class CodedTexts:
    """A column of texts."""

    known: tuple[str, ...]
    """Texts that occur."""
    places: NDArray[np.int32]
    """Shape (n,): the place of each row's text; -1 where it is missing."""


@dataclass(frozen=True, slots=True, eq=False)
class CodedTable:
    """Rows of a table: numbers and dates first, then texts, each in the spec's order."""

    number_names: tuple[str, ...]
    numbers: NDArray[np.float64]
    """Shape (n, k), NaN where missing."""
    text_names: tuple[str, ...]
    texts: tuple[CodedTexts, ...]

    @classmethod
    def of(
        cls,
        numbers: Mapping[str, NDArray[Any]],
        texts: Mapping[str, CodedTexts],
        num_rows: int,
    ) -> "CodedTable":
        """Put columns of `num_rows` rows together."""
        stacked = np.empty((num_rows, len(numbers)))
        for place, column in enumerate(numbers.values()):
            stacked[:, place] = column
        return cls(tuple(numbers), stacked, tuple(texts), tuple(texts.values()))

    @classmethod
    def of_rows(cls, rows: "Rows | CodedTable") -> "CodedTable":
        """The same rows; arrays become numbers without names, one row flat."""
        if isinstance(rows, CodedTable):
            return rows
        if not isinstance(rows, pd.DataFrame):
            return cls((), rows.reshape(len(rows), -1).astype(np.float64), (), ())
        numbers: dict[str, NDArray[Any]] = {}
        texts: dict[str, CodedTexts] = {}
        for name in rows.columns:
            values = rows[name].to_numpy()
            if values.dtype == object:
                places, known = pd.factorize(values)
                texts[str(name)] = CodedTexts(tuple(map(str, known)), places.astype(np.int32))
            else:
                numbers[str(name)] = values
        return cls.of(numbers, texts, len(rows))

    def cells(self) -> dict[str, NDArray[Any]]:
        """The cells of each column, shape (n,): float64, or objects (str or None)."""
        found: dict[str, NDArray[Any]] = dict(zip(self.number_names, self.numbers.T, strict=True))
        for name, texts in zip(self.text_names, self.texts, strict=True):
            known = np.empty(len(texts.known) + 1, object)
            known[:] = [*texts.known, None]
            found[name] = known[texts.places]  # -1 is the last: None
        return found


def features_of(spec: EnsembleSpec) -> tuple[Column, ...]:
    """The columns that are predicted from, in order; empty if examples are arrays."""
    return tuple(column for column in spec.columns if column.kind != TARGET)


def as_frame(rows: Any, spec: EnsembleSpec, *, may_lack: bool = False) -> pd.DataFrame:
    """Rows of a table as members take them: see `Rows`.

    Args:
        rows: A sheet, a DataFrame or a dict of arrays by column name.
        spec: The ensemble.
        may_lack: Whether columns may be missing, which then hold nothing.

    Raises:
        DataError: Columns are missing or hold something else; all are named.
    """
    sheet = rows if isinstance(rows, Sheet) else read_sheet(_padded(rows))
    wrong: list[str] = []
    columns: dict[str, NDArray[Any]] = {}
    for column in features_of(spec):
        if column.name in sheet.names:
            values, problem = cells_of(sheet, sheet.column(column.name), column)
        else:
            values, problem = _nothing(len(sheet), column), ""
            if not may_lack:
                problem = f"column {column.name!r} is missing: add it, empty if nothing is known"
        columns[column.name] = values
        wrong += [problem] if problem else []
    if wrong:
        raise DataError(f"{sheet.label} does not fit the ensemble's columns: {'; '.join(wrong)}")
    return frame_of(columns)


def frame_of(columns: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    """A frame of columns whose objects stay objects: pandas would make NaN of a None in texts."""
    series = {name: pd.Series(values, dtype=values.dtype) for name, values in columns.items()}
    return pd.DataFrame(series, copy=False)


def as_examples(rows: Any, spec: EnsembleSpec) -> NDArray[np.float32]:
    """Rows that are arrays, of shape (n, *input_shape), float32; pixels of uint8 in 0..1.

    Raises:
        DataError: Shape or type are others, or a value is not finite.
    """
    array = np.asarray(rows)
    if array.dtype.kind not in "biuf" or array.shape[1:] != spec.input_shape or not len(array):
        raise DataError(
            f"rows must be numbers of shape (n, {', '.join(map(str, spec.input_shape))}), "
            f"got {array.dtype} of shape {array.shape}"
        )
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(array, np.float32)
    if array.dtype == np.uint8 and is_image_shape(spec.input_shape):
        single /= PIXEL_MAX
    if not np.isfinite(single).all():
        raise DataError("rows must be finite numbers within the range of float32")
    return single


def cells_of(sheet: Sheet, found: SheetColumn, column: Column) -> tuple[NDArray[Any], str]:
    """A column's cells as members take them, and what is wrong with it in words, else empty.

    Numbers that are stored as text are read; a category takes any cell as text.
    """
    if column.kind == CATEGORY:
        texts = np.empty(len(sheet), object)
        texts[:] = found.texts()
        return texts, ""
    if found.missing.all():
        return _nothing(len(sheet), column), ""
    if (found.kind == "date") == (column.kind == DATE) and found.kind != "text":
        return found.values.astype(np.float64), ""
    if found.kind == "text" and column.kind == NUMBER:
        read = [None if text is None else number(text) for text in found.values]
        wrong = [
            row
            for row, text in enumerate(found.values)
            if text is not None and (read[row] is None or abs(read[row] or 0) > NUMBER_MAX)
        ]
        if not wrong:
            return np.array([np.nan if cell is None else cell for cell in read], np.float64), ""
        row = wrong[0]
    else:
        row = int((~found.missing).argmax())
    return _nothing(len(sheet), column), (
        f"column {column.name!r} must hold {_DUE[column.kind]}, got "
        f"{found.texts()[row]!r:.60} in {sheet.line_word} {sheet.lines[row]}: change it, or "
        "write NA where the value is missing"
    )


def _padded(rows: Any) -> Any:
    """Readers of tables want two columns; a question may have one."""
    if isinstance(rows, pd.DataFrame) and rows.shape[1] == 1:
        return rows.assign(**{f"not {rows.columns[0]}": np.nan})
    if isinstance(rows, Mapping):
        return _padded(pd.DataFrame(dict(rows)))
    return rows


def _nothing(num_rows: int, column: Column) -> NDArray[Any]:
    return np.full(num_rows, None if column.kind == CATEGORY else np.nan)
