"""Grid: the cells of a table as text, and what becomes of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.core.columns import NAME_LENGTH_MAX
from swarm.core.errors import DataError
from swarm.learning.tables.cells import number
from swarm.learning.tables.recognition import Recogniser
from swarm.learning.tables.sheet import Sheet


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Cells as text, without spaces around them."""

    label: str
    names: Sequence[str]
    columns: Sequence[Sequence[str]]
    """The cells of each column."""
    lines: NDArray[np.int64]
    line_word: str = "line"
    details: str = ""
    commas_likely: bool | None = False
    """Whether decimal commas are likelier than points; None: there are none."""
    names_may_be_numbers: bool = False
    """Data frames that were made from an array have them."""

    def sheet(self) -> Sheet:
        """Recognise what each column holds.

        Raises:
            DataError: There are no names or no rows, names are missing or equal, or a column
                mixes numbers with other texts.
        """
        names, columns, notes = self._named_columns()
        check_names(names, self.label, may_be_numbers=self.names_may_be_numbers)
        if not len(self.lines):
            raise DataError(
                f"{self.label} must have at least 1 {self.line_word} of values after the column "
                "names"
            )
        found = Recogniser(self.label, self.line_word, self.lines).recognise(
            names, columns, commas_likely=self.commas_likely
        )
        details = [self.details] if self.details else []
        if found.comma:
            details.append("decimal commas")
        return Sheet(
            self.label,
            found.columns,
            self.lines,
            self.line_word,
            ", ".join(details),
            (*notes, *found.notes),
        )

    def _named_columns(self) -> tuple[list[str], list[Sequence[str]], list[str]]:
        """Without the row numbers that pandas writes, and without empty ends of lines."""
        names, columns, notes = list(self.names), list(self.columns), []
        while len(names) > 2 and not names[-1] and not any(columns[-1]):
            names.pop()
            columns.pop()
        if len(names) > 2 and not names[0] and all(names[1:]):
            notes.append("the first column, which has no name, is taken for row numbers: left out")
            names, columns = names[1:], columns[1:]
        return names, columns, notes


def check_names(names: Sequence[str], label: str, *, may_be_numbers: bool = False) -> None:
    """Check the names of a table's columns.

    Raises:
        DataError: There are fewer than 2, one is empty or used twice, or all are numbers.
    """
    if len(names) < 2:
        raise DataError(f"{label} must begin with a line of at least 2 column names, got {names}")
    for place, name in enumerate(names, 1):
        if not name:
            raise DataError(f"{label}: column names must not be empty, column {place} has none")
        if len(name) > NAME_LENGTH_MAX:
            raise DataError(
                f"{label}: column names must have at most {NAME_LENGTH_MAX} characters, column "
                f"{place} has {len(name):,}: {name!r:.60}"
            )
    if not may_be_numbers and all(number(name) is not None for name in names):
        shown = ", ".join(names[:10])
        raise DataError(f"{label} must begin with a line of column names, got numbers: {shown}")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise DataError(f"{label}: column names must differ, {name!r:.80} is there {times} times")
