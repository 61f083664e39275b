"""Turns the columns of a table into numbers, by columns that are derived once."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.core.columns import (
    CATEGORIES_MAX,
    CATEGORY,
    CATEGORY_LENGTH_MAX,
    COLUMNS_BYTES_MAX,
    DATE,
    FEATURES_MAX,
    NUMBER,
    TARGET,
    Column,
    columns_bytes,
)
from swarm.core.errors import DataError
from swarm.learning.tables.sheet import Sheet, SheetColumn

IDS_MIN = 10
"""Texts that all differ are ids if there are at least this many."""
ID_NAMES = frozenset({"id", "index", "unnamed: 0", "row", "row_id", "rowid"})
MANY_UNKNOWN = 0.05
"""Share of rows with unknown categories that a user hears of."""
DEVIATIONS_MAX = 10.0
"""Numbers further than this from the mean, in standard deviations, count as this far: a single
one would otherwise dominate every gradient."""


@dataclass(frozen=True, slots=True)
class Derived:
    """Columns, and what was left out."""

    columns: tuple[Column, ...]
    notes: tuple[str, ...]


def derive_columns(sheet: Sheet) -> Derived:
    """Derive how to encode a table from its training rows.

    Args:
        sheet: The training rows, without the target.

    Raises:
        DataError: No column is left, or names and categories are too long for a session.
    """
    columns: list[Column] = []
    notes: list[str] = []
    for column in sheet.columns:
        reason = _useless(column)
        if reason:
            notes.append(f"column {column.name!r} {reason}: left out")
        else:
            columns.append(_derive(column))
    if not columns:
        raise DataError(f"{sheet.label} has no column to predict from: {'; '.join(notes)}")
    size_bytes = columns_bytes(tuple(columns))
    if size_bytes > COLUMNS_BYTES_MAX:
        raise DataError(
            f"{sheet.label}: names and categories of {len(columns):,} columns take "
            f"{size_bytes >> 10:,} KiB, at most {COLUMNS_BYTES_MAX >> 10} KiB can be sent to all "
            "peers: leave out columns, or give a table of numbers as an array in an .npz file"
        )
    width = sum(column.width for column in columns)
    if width > FEATURES_MAX:
        raise DataError(
            f"{sheet.label} gives {width:,} features, a table must give at most {FEATURES_MAX:,}: "
            "leave out columns"
        )
    return Derived(tuple(columns), tuple(notes))


def encode(sheet: Sheet, columns: tuple[Column, ...], *, raw: bool = False) -> NDArray[np.float64]:
    """Encode all rows by given columns, in their order; shape (n, features).

    Args:
        sheet: The rows; columns that are not given are ignored.
        columns: How to encode; a target among them is left out.
        raw: Whether numbers stay as they are, and NaN where they are missing.

    Raises:
        DataError: Columns are missing, or hold texts where numbers are due; all are named.
    """
    parts: list[NDArray[np.float64]] = []
    wrong: list[str] = []
    for column in columns:
        if column.kind == TARGET:
            continue
        if column.name not in sheet.names:
            wrong.append(f"column {column.name!r} is missing: add it, empty if nothing is known")
            continue
        found = sheet.column(column.name)
        problem = _misfit(sheet, found, column)
        if problem:
            wrong.append(problem)
        elif column.kind == CATEGORY:
            parts.append(_one_hot(found, column))
        else:
            parts.append(_number(found, column, raw=raw))
    if wrong:
        raise DataError(f"{sheet.label} does not fit the session's columns: {'; '.join(wrong)}")
    return np.concatenate(parts, axis=1)


def feature_names(columns: tuple[Column, ...]) -> tuple[str, ...]:
    """Names of the features that `encode` gives, in their order.

    Example:
        >>> feature_names((Column("age", has_missing=True), Column("city", "category", ("Rome",))))
        ('age', 'age missing', 'city=Rome', 'city=other')
    """
    names: list[str] = []
    for column in columns:
        if column.kind == TARGET:
            continue
        if column.kind == CATEGORY:
            names += [f"{column.name}={category}" for category in (*column.categories, "other")]
        else:
            names.append(column.name)
        if column.has_missing:
            names.append(f"{column.name} missing")
    return tuple(names)


def unknown_categories(sheet: Sheet, columns: tuple[Column, ...]) -> tuple[str, ...]:
    """Columns where many rows have categories without a feature of their own, with an example."""
    found = []
    for column in columns:
        if column.kind != CATEGORY:
            continue
        known = set(column.categories)
        unknown = Counter(
            text for text in sheet.column(column.name).texts() if text and text not in known
        )
        if unknown.total() > MANY_UNKNOWN * len(sheet):
            example = unknown.most_common(1)[0][0]
            found.append(f"{column.name} ({unknown.total():,} rows, as in {example!r:.40})")
    return tuple(found)


def _useless(column: SheetColumn) -> str:
    """Why nothing can be learnt from a column; empty if something can."""
    present = column.values[~column.missing]
    if not len(present):
        return "has no values"
    if column.kind == "text":
        return _useless_texts(Counter(present))
    is_id = column.name.lower() in ID_NAMES and len(present) == len(column.values) >= IDS_MIN
    if is_id and len(np.unique(present)) == len(present):
        return "holds numbers that all differ, and is named like an id"
    return ""


def _useless_texts(count: Counter[str]) -> str:
    total = count.total()
    if len(count) == total >= IDS_MIN:
        return f"holds {total:,} texts that all differ, as ids do"
    if len(count) > max(CATEGORIES_MAX, total / 2):
        return f"holds {len(count):,} different texts in {total:,} rows"
    return "" if _kept_categories(count) else "holds no text twice"


def _derive(column: SheetColumn) -> Column:
    missing = column.missing
    present = column.values[~missing]
    has_missing = bool(missing.any())
    if column.kind == "text":
        categories = tuple(sorted(_kept_categories(Counter(present))))
        return Column(column.name, CATEGORY, categories, has_missing=has_missing)
    kind = DATE if column.kind == "date" else NUMBER
    scale = float(present.std())
    return Column(
        column.name,
        kind,
        mean=float(present.mean()),
        scale=scale if scale > np.finfo(np.float64).tiny else 1.0,
        has_missing=has_missing,
    )


def _kept_categories(count: Counter[str]) -> list[str]:
    """The most frequent texts; those that occur once share the feature for all others."""
    ranked = sorted(count, key=lambda text: (-count[text], text))
    kept = [text for text in ranked if count[text] > 1 and len(text) <= CATEGORY_LENGTH_MAX]
    return kept[:CATEGORIES_MAX]


def _misfit(sheet: Sheet, found: SheetColumn, column: Column) -> str:
    if column.kind == CATEGORY or found.missing.all():
        return ""
    if column.kind == found.kind:
        return ""
    row = int((~found.missing).argmax())
    due = {NUMBER: "numbers", DATE: "dates, as in 2020-01-31"}[column.kind]
    return (
        f"column {column.name!r} must hold {due}, got {found.texts()[row]!r:.60} in "
        f"{sheet.line_word} {sheet.lines[row]}: change it, or write NA where the value is missing"
    )


def _number(found: SheetColumn, column: Column, *, raw: bool) -> NDArray[np.float64]:
    missing = found.missing
    values = np.full(len(missing), np.nan)
    if not missing.all():
        values = found.values.astype(np.float64)
    if not raw:
        with np.errstate(over="ignore"):  # far beyond the limit anyway
            scaled = (values - column.mean) / column.scale
        values = np.clip(np.where(missing, 0.0, scaled), -DEVIATIONS_MAX, DEVIATIONS_MAX)
    if column.has_missing:
        return np.stack([values, missing.astype(np.float64)], axis=1)
    return values[:, np.newaxis]


def _one_hot(found: SheetColumn, column: Column) -> NDArray[np.float64]:
    other = len(column.categories)
    places: dict[str | None, int] = {text: place for place, text in enumerate(column.categories)}
    places[None] = other + 1 if column.has_missing else other
    encoded = np.zeros((len(found.values), column.width))
    chosen = [places.get(text, other) for text in found.texts()]
    encoded[np.arange(len(chosen)), chosen] = 1.0
    return encoded
