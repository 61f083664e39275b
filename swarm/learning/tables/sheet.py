"""Sheet: a table as it was read, column by column, before anything is made of it."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.core.suggestions import did_you_mean
from swarm.learning.tables.cells import iso_day, shown_number

ColumnKind = Literal["number", "date", "text"]


@dataclass(frozen=True, slots=True, eq=False)
class SheetColumn:
    """One column; all its values mean the same kind of thing."""

    name: str
    kind: ColumnKind
    values: NDArray[Any]
    """Shape (n,). Numbers and dates: float64, NaN where missing; dates are days since 1970-01-01.
    Texts: objects, str or None where missing."""

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where values are missing."""
        if self.kind == "text":
            return np.array([value is None for value in self.values], np.bool_)
        return np.isnan(self.values.astype(np.float64))

    def texts(self) -> list[str | None]:
        """The values as text, None where missing: what a category is, whatever a column holds."""
        if self.kind == "text":
            return list(self.values)
        shown = iso_day if self.kind == "date" else shown_number
        return [None if math.isnan(value) else shown(value) for value in self.values.tolist()]

    def only(self, rows: NDArray[Any]) -> "SheetColumn":
        """The column at `rows`: indices, or one boolean for each row."""
        return replace(self, values=self.values[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A table of n rows."""

    label: str
    """Its name in messages."""
    columns: tuple[SheetColumn, ...]
    lines: NDArray[np.int64]
    """Shape (n,): where each row stands, for messages."""
    line_word: str = "line"
    """What `lines` counts: `line` of a text file, `row` elsewhere; both from 1."""
    details: str = ""
    """How the file was understood, as in "';' between values, decimal commas"."""
    notes: tuple[str, ...] = field(default=())
    """What the user should know: what was left out, which reading of dates was taken."""

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def summary(self) -> str:
        """One line: what was read, and how."""
        details = f", {self.details}" if self.details else ""
        return f"{self.label}: {len(self):,} rows, {len(self.columns)} columns{details}"

    def column(self, name: str) -> SheetColumn:
        """The column of this name.

        Raises:
            DataError: There is none; the message suggests one.
        """
        for column in self.columns:
            if column.name == name:
                return column
        listed = ", ".join(self.names[:30]) + (", ..." if len(self.names) > 30 else "")
        raise DataError(
            f"{self.label} has no column {name!r:.80}{did_you_mean(name, self.names)}; "
            f"it has {listed}"
        )

    def only(self, rows: NDArray[Any]) -> "Sheet":
        """The sheet of some rows: indices, or one boolean for each row."""
        columns = tuple(column.only(rows) for column in self.columns)
        return replace(self, columns=columns, lines=self.lines[rows])

    def without(self, name: str) -> "Sheet":
        """The sheet without one column."""
        return replace(self, columns=tuple(c for c in self.columns if c.name != name))

    def place(self, row: int, column: str) -> str:
        """Where a value stands, as in "data.csv, line 3: column 'age'"."""
        return f"{self.label}, {self.line_word} {self.lines[row]}: column {column!r}"
