"""Recognises what the columns of a table hold: numbers, dates or texts.

Cells arrive as text. A column holds numbers if all its values do, apart from missing ones.
Whether "1,234" is 1234 or 1.234 is decided by the other values of the column, then by the other
columns, then by the delimiter: files with decimal commas separate values by semicolons.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.core.columns import CATEGORIES_MAX
from swarm.core.errors import DataError
from swarm.learning.tables.cells import (
    INFINITE,
    MISSING_NUMBER,
    NUMBER_MAX,
    day,
    is_missing,
    number,
)
from swarm.learning.tables.sheet import SheetColumn

MOSTLY = 0.95
"""From this share of numbers on, other texts in a column of many values are taken for mistakes."""
SAMPLE = 1_000
"""Cells that are looked at for decimal points in a column of plain numbers."""
_BOOLEANS = {"true", "false"}


@dataclass(frozen=True, slots=True)
class Recognised:
    """The columns of a table."""

    columns: tuple[SheetColumn, ...]
    comma: bool
    """Whether a comma separates decimals."""
    notes: tuple[str, ...]


class Recogniser:
    """Recognises the columns of one table."""

    def __init__(self, label: str, line_word: str, lines: NDArray[np.int64]) -> None:
        self._label = label
        self._line_word = line_word
        self._lines = lines
        self._notes: list[str] = []
        self._points_only = False

    def recognise(
        self, names: Sequence[str], columns: Sequence[Sequence[str]], *, commas_likely: bool | None
    ) -> Recognised:
        """Recognise all columns.

        Args:
            names: Their names.
            columns: The cells of each, without spaces around them.
            commas_likely: Whether decimal commas are likelier than points; None: there are none.

        Raises:
            DataError: A column mixes numbers with other texts; the message names the place.
        """
        self._points_only = commas_likely is None
        plain = [plain_numbers(column) for column in columns]
        counts = [
            Counter() if fast is not None else Counter(texts)
            for fast, texts in zip(plain, columns, strict=True)
        ]
        readings = [_readings(count, commas=commas_likely is not None) for count in counts]
        points = [
            fast is not None and _have_points(texts)
            for fast, texts in zip(plain, columns, strict=True)
        ]
        comma = _uses_commas(readings, any_points=any(points), likely=bool(commas_likely))
        found = []
        for name, texts, fast, count, reading in zip(
            names, columns, plain, counts, readings, strict=True
        ):
            if fast is not None:
                if comma and (grouped := _grouped(texts)) is not None:
                    fast = grouped  # noqa: PLW2901 - the same column, read by the file's rule
                self._check_size(name, texts, fast)
                found.append(SheetColumn(name, "number", fast))
            else:
                use_comma = reading.comma and (comma or not reading.point)
                found.append(self._recognise(name, texts, count, reading, comma=use_comma))
        return Recognised(tuple(found), comma, tuple(self._notes))

    def _recognise(
        self,
        name: str,
        texts: Sequence[str],
        count: Counter[str],
        reading: "_Reading",
        *,
        comma: bool,
    ) -> SheetColumn:
        if reading.point or reading.comma:
            meanings = {text: _or_nan(number(text, comma=comma)) for text in count}
            values = np.array([meanings[text] for text in texts], np.float64)
            self._check_size(name, texts, values)
            return SheetColumn(name, "number", values)
        self._refuse_odd_texts(name, texts, count)
        if (days := self._days(name, count)) is not None:
            return SheetColumn(name, "date", np.array([days[text] for text in texts], np.float64))
        kept = {text: None if is_missing(text) else _plain(text) for text in count}
        values = np.empty(len(texts), object)
        values[:] = [kept[text] for text in texts]
        return SheetColumn(name, "text", values)

    def _days(self, name: str, count: Counter[str]) -> dict[str, float] | None:
        present = [text for text in count if not _is_gap(text)]
        day_first = all(day(text) is not None for text in present)
        month_first = all(day(text, month_first=True) is not None for text in present)
        if not present or not (day_first or month_first):
            return None
        days = {text: _or_nan(day(text, month_first=not day_first)) for text in count}
        if day_first and month_first:
            either = [text for text in present if day(text) != day(text, month_first=True)]
            if either:
                self._notes.append(
                    f"dates of column {name!r} are read as day, month, year, as in {either[0]!r}"
                )
        return days

    def _refuse_odd_texts(self, name: str, texts: Sequence[str], count: Counter[str]) -> None:
        """Numbers with a few other texts among them are no categories but hold a mistake."""
        present = {text: times for text, times in count.items() if not _is_gap(text)}
        odd = {text for text in present if number(text) is number(text, comma=True) is None}
        infinite = {text for text in odd if text.lower() in INFINITE}
        if infinite and infinite == odd:
            raise self._error(name, texts, infinite, "must be a finite number")
        if present and not odd and not self._points_only:
            pointed = {text for text in present if number(text, comma=True) is None}
            raise self._error(name, texts, pointed, "mixes decimal points and decimal commas")
        num_odd, total = sum(present[text] for text in odd), sum(present.values())
        if len(present) - len(odd) > CATEGORIES_MAX and num_odd <= (1 - MOSTLY) * total:
            raise self._error(
                name,
                texts,
                odd,
                f"holds {total - num_odd:,} numbers and {num_odd:,} other values: write a number, "
                "or NA where the value is missing",
            )

    def _check_size(self, name: str, texts: Sequence[str], values: NDArray[np.float64]) -> None:
        large = np.abs(values) > NUMBER_MAX  # NaN is not
        if large.any():
            row = int(large.argmax())
            raise self._error(name, texts, {texts[row]}, f"must be within {NUMBER_MAX:g} of 0")

    def _error(self, name: str, texts: Sequence[str], odd: set[str], rule: str) -> DataError:
        row = next(row for row, text in enumerate(texts) if text in odd)
        return DataError(
            f"{self._label}, {self._line_word} {self._lines[row]}: column {name!r:.80} {rule}, "
            f"got {texts[row]!r:.60}"
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """Whether all values of a column are numbers, by each way of writing decimals."""

    point: bool
    comma: bool


def plain_numbers(texts: Sequence[str]) -> NDArray[np.float64] | None:
    """The values of a column of plain finite numbers, none missing; None if it is another one."""
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        return None
    # Python also reads words, such as nan and inf, and underscores, as in 1_000.
    if not np.isfinite(values).all() and any(text.lstrip("+-")[0] in "iInN" for text in texts):
        return None
    return None if any("_" in text for text in texts) else values


def _readings(count: Counter[str], *, commas: bool) -> _Reading:
    present = [text for text in count if not _is_gap(text)]
    if not present:
        return _Reading(point=False, comma=False)
    return _Reading(
        point=all(number(text) is not None for text in present),
        comma=commas and all(number(text, comma=True) is not None for text in present),
    )


def _uses_commas(readings: Sequence[_Reading], *, any_points: bool, likely: bool) -> bool:
    if any(reading.comma and not reading.point for reading in readings):
        return True
    if any_points or any(reading.point and not reading.comma for reading in readings):
        return False
    return likely


def _have_points(texts: Sequence[str]) -> bool:
    """Whether the first numbers of a column show that a point separates decimals."""
    return any("." in text and number(text, comma=True) is None for text in texts[:SAMPLE])


def _grouped(texts: Sequence[str]) -> NDArray[np.float64] | None:
    """The values of a column in a file with decimal commas, where 1.234 means 1234."""
    values = [number(text, comma=True) for text in texts]
    return None if None in values else np.array(values, np.float64)


def _plain(text: str) -> str:
    """True and TRUE as true, whatever else the column holds: files of one table may differ."""
    return lower if (lower := text.lower()) in _BOOLEANS else text


def _is_gap(text: str) -> bool:
    return is_missing(text) or text.lower() in MISSING_NUMBER


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
