"""Reads a CSV file: a line of column names, then numbers and one column to predict."""

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError

FEATURE_MAX = 1e150
"""The standard deviation of greater values overflows in double precision."""


@dataclass(frozen=True, slots=True)
class Target:
    """The column to predict, as text from the file."""

    name: str
    values: tuple[str, ...]
    first_line: int
    """The line of the first value, counted from 1 as in editors."""


@dataclass(frozen=True, slots=True)
class Features:
    """All other columns."""

    names: tuple[str, ...]
    values: NDArray[np.float64]
    """Shape (n, number of names). float64, because seconds since 1970 do not fit in float32."""


def read(path: Path, target: str | None, called: str) -> tuple[Features, Target]:
    """Read features and target; blank lines at the end are ignored.

    Args:
        path: The file, in UTF-8, with commas.
        target: Name of the column to predict; None means the last one.
        called: The file's name in error messages.

    Raises:
        DataError: The file is missing or malformed; the message names line and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _read(called, csv.reader(file, strict=True), target)
    except OSError as error:
        raise DataError(f"cannot read {called} as CSV in UTF-8: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {called} as CSV in UTF-8: {error}") from error


def numbers(target: Target, called: str) -> NDArray[np.float64]:
    """The target as numbers, for a regression.

    Raises:
        DataError: A value is not a finite number.
    """
    return np.array(
        [
            _number(called, line, target.name, text)
            for line, text in enumerate(target.values, target.first_line)
        ]
    )


def _read(called: str, lines: Iterable[list[str]], target: str | None) -> tuple[Features, Target]:
    rows = iter(lines)
    header = [name.strip() for name in next(rows, [])]
    place = _target_place(called, header, target)
    names = header[:place] + header[place + 1 :]
    features: list[list[float]] = []
    labels: list[str] = []
    blank: int | None = None
    for line, row in enumerate(rows, 2):
        if len(row) < 2 and not "".join(row).strip():
            blank = blank or line
            continue
        if blank is not None:
            raise DataError(f"{called}, line {blank}: an empty line between examples")
        if len(row) != len(header):
            raise DataError(
                f"{called}, line {line}: {len(header)} values expected, got {len(row)}"
            )
        label = row.pop(place).strip()
        if not label:
            raise DataError(f"{called}, line {line}: column {header[place]!r} is empty")
        labels.append(label)
        features.append([_feature(called, line, *cell) for cell in zip(names, row, strict=True)])
    if not labels:
        raise DataError(f"{called} must have at least 1 line of values after the column names")
    table = Features(tuple(names), np.array(features, np.float64))
    return table, Target(header[place], tuple(labels), 2)


def _target_place(called: str, header: list[str], target: str | None) -> int:
    for separator in (";", "\t"):
        if len(header) == 1 and separator in header[0]:
            raise DataError(
                f"{called}, line 1: values must be separated by commas, not by {separator!r}"
            )
    if len(header) < 2:
        raise DataError(
            f"{called} must begin with a line of at least 2 column names, got {header}"
        )
    if len(set(header)) < len(header) or not all(header):
        raise DataError(f"{called}: column names must not be empty and must differ, got {header}")
    if all(_is_number(name) for name in header):
        raise DataError(f"{called} must begin with a line of column names, got numbers: {header}")
    if target is None:
        return len(header) - 1
    if target not in header:
        raise DataError(f"{called} has no column {target!r}; it has {', '.join(header)}")
    return header.index(target)


def _number(called: str, line: int, column: str, text: str) -> float:
    if not _is_number(text):
        raise DataError(
            f"{called}, line {line}: column {column!r} must be a finite number, got {text!r:.60}"
        )
    return float(text)


def _feature(called: str, line: int, column: str, text: str) -> float:
    number = _number(called, line, column, text)
    if abs(number) > FEATURE_MAX:
        raise DataError(
            f"{called}, line {line}: column {column!r} must be within "
            f"{FEATURE_MAX:g} of 0, got {text!r:.60}"
        )
    return number


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
