"""The column to predict: which it is, what task it makes, and its classes."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.tables.cells import number, shown_number
from swarm.learning.tables.sheet import Sheet, SheetColumn

TARGET_NAMES = ("target", "label", "class", "y")
"""Names by which the target is recognised, in any case; otherwise it is the last column."""
REFUSE, DROP = "refuse", "drop"
MISSING_TARGET = (REFUSE, DROP)
"""What happens to rows whose target is missing."""
INTEGER_CLASSES_MAX = 20
"""A target of whole numbers is for a regression if it has more different values."""
CLASSES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Labels:
    """The classes of a classification."""

    names: tuple[str, ...]
    """In the order of their numbers: whole numbers by size, texts by code points."""
    numbers: NDArray[np.int64]
    """Shape (n,)."""

    @property
    def are_plain(self) -> bool:
        """Whether the labels are 0, 1, 2, ... already."""
        return self.names == tuple(map(str, range(len(self.names))))


def choose_target(sheet: Sheet, wanted: str | None) -> tuple[str, str]:
    """Choose the column to predict.

    Args:
        sheet: The table.
        wanted: Its name; None: a column named `TARGET_NAMES`, else the last one.

    Returns:
        Its name, and how it was chosen; empty if the user named it.

    Raises:
        DataError: There is no such column; the message suggests one.
    """
    if wanted is not None:
        return sheet.column(wanted).name, ""
    by_lower = {name.lower(): name for name in sheet.names}
    for name in TARGET_NAMES:
        if name in by_lower:
            return by_lower[name], f"the target is column {by_lower[name]!r}, by its name"
    last = sheet.names[-1]
    return last, f"the target is {last!r}, the last column; --target names another one"


def with_target(sheet: Sheet, target: str, missing_target: str) -> tuple[Sheet, str]:
    """The rows whose target is there.

    Args:
        sheet: The table.
        target: Name of the column to predict.
        missing_target: `refuse` or `drop`.

    Returns:
        The rows, and how many were left out; empty if none.

    Raises:
        ConfigurationError: `missing_target` is neither.
        DataError: Targets are missing and may not be, or all are missing.
    """
    if missing_target not in MISSING_TARGET:
        raise ConfigurationError(
            f"missing_target must be one of {', '.join(MISSING_TARGET)}, got {missing_target!r}"
        )
    missing = sheet.column(target).missing
    count = int(missing.sum())
    if not count:
        return sheet, ""
    if count == len(sheet):
        raise DataError(f"{sheet.label}: the target, column {target!r}, is missing in all rows")
    if missing_target == REFUSE:
        rows = f"in {count:,} of {len(sheet):,} rows" if count > 1 else "in this row only"
        raise DataError(
            f"{sheet.place(int(missing.argmax()), target)}, the target, is missing, {rows}: fill "
            'it in, or have such rows left out: missing_target = "drop", --missing-target drop'
        )
    left_out = f"{count:,} of {len(sheet):,} rows left out: their target {target!r} is missing"
    return sheet.only(~missing), left_out


def recognise_task(column: SheetColumn) -> str:
    """`classification` for texts and few different whole numbers, else `regression`."""
    if column.kind == "text":
        return "classification"
    values = np.unique(column.values)
    few = len(values) <= min(INTEGER_CLASSES_MAX, max(2, len(column.values) // 2))
    whole = column.kind == "number" and bool((values == np.floor(values)).all())
    return "classification" if few and whole else "regression"


def numbers_of(sheet: Sheet, target: str) -> NDArray[np.float64]:
    """The target of a regression, shape (n,).

    Raises:
        DataError: It holds texts; the message names the first.
    """
    column = sheet.column(target)
    if column.kind == "text":
        row = next(row for row, text in enumerate(column.values) if number(text) is None)
        raise DataError(
            f"{sheet.place(row, target)} must be a finite number, got {column.values[row]!r:.60}: "
            "it is the target of a regression"
        )
    return np.asarray(column.values, np.float64)


def labels_of(sheet: Sheet, target: str, *, by_text: bool = False) -> Labels:
    """The classes of a target, none of them missing.

    Args:
        sheet: The table.
        target: Name of the column to predict.
        by_text: Whether whole numbers are sorted as texts are.

    Raises:
        DataError: There is only one class, or there are too many.
    """
    column = sheet.column(target)
    if by_text or column.kind == "text":
        names, numbers = np.unique(np.array(column.texts(), np.str_), return_inverse=True)
        shown = tuple(map(str, names))
    else:
        found, numbers = np.unique(column.values, return_inverse=True)
        shown = tuple(map(shown_number, found.tolist()))
    if len(shown) < 2:
        raise DataError(
            f"{sheet.label}: column {target!r} must have at least 2 classes, got 1: "
            f"{shown[0]!r:.60}"
        )
    if len(shown) > CLASSES_MAX:
        raise DataError(
            f"{sheet.label}: column {target!r} must have at most {CLASSES_MAX:,} classes, got "
            f"{len(shown):,}; if it is to be predicted as a number, the task is a regression"
        )
    return Labels(shown, numbers.astype(np.int64))


def labels_by(sheet: Sheet, target: str, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Numbers of classes that are given, as a session fixes them; shape (n,).

    Raises:
        DataError: A label is none of them; the message names the first, and how many rows have it.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    texts = sheet.column(target).texts()
    unknown = Counter(text for text in texts if text not in numbers)
    if unknown:
        first = next(row for row, text in enumerate(texts) if text in unknown)
        listed = ", ".join(map(repr, classes[:20])) + (", ..." if len(classes) > 20 else "")
        raise DataError(
            f"{sheet.place(first, target)} has the class {texts[first]!r:.60}, in "
            f"{unknown[texts[first]]:,} rows, which the session does not know; "
            f"its classes are {listed}"
        )
    return np.array([numbers[str(text)] for text in texts], np.int64)
