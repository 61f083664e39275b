"""Reads a CSV file: a line of column names, then numbers, and one column to predict."""

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError


@dataclass(frozen=True, slots=True)
class Target:
    """The column to predict, as it is in the file."""

    name: str
    values: tuple[str, ...]
    first_line: int
    """The line of the first value, counted from 1 as editors do."""


def read(path: Path, target: str | None) -> tuple[NDArray[np.float32], Target]:
    """Read features and target.

    Args:
        path: The file, in UTF-8, with commas.
        target: Name of the column to predict; the last one if None.

    Returns:
        Features of shape (n, number of other columns), and the target column.

    Raises:
        DataError: The file is missing or malformed; the message names line and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _read(path, csv.reader(file, strict=True), target)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path} as CSV in UTF-8: {error}") from error


def numbers(path: Path, target: Target) -> NDArray[np.float64]:
    """The target as numbers, for a regression.

    Raises:
        DataError: One is none.
    """
    return np.array(
        [
            _number(path, line, target.name, text)
            for line, text in enumerate(target.values, target.first_line)
        ]
    )


def _read(
    path: Path, lines: Iterable[list[str]], target: str | None
) -> tuple[NDArray[np.float32], Target]:
    rows = iter(lines)
    header = [name.strip() for name in next(rows, [])]
    place = _target_place(path, header, target)
    features: list[list[float]] = []
    labels: list[str] = []
    for line, row in enumerate(rows, 2):
        if not row:
            raise DataError(f"{path}, line {line}: an empty line between examples")
        if len(row) != len(header):
            raise DataError(f"{path}, line {line}: {len(header)} values expected, got {len(row)}")
        label = row.pop(place).strip()
        if not label:
            raise DataError(f"{path}, line {line}: column {header[place]!r} is empty")
        labels.append(label)
        names = header[:place] + header[place + 1 :]
        features.append([_number(path, line, *cell) for cell in zip(names, row, strict=True)])
    if not labels:
        raise DataError(f"{path} must have at least 1 line of values after the column names")
    return np.array(features, np.float32), Target(header[place], tuple(labels), 2)


def _target_place(path: Path, header: list[str], target: str | None) -> int:
    if len(header) < 2:
        raise DataError(f"{path} must begin with a line of at least 2 column names, got {header}")
    if len(set(header)) < len(header) or not all(header):
        raise DataError(f"{path}: column names must be there and differ, got {header}")
    if all(_is_number(name) for name in header):
        raise DataError(f"{path} must begin with a line of column names, got numbers: {header}")
    if target is None:
        return len(header) - 1
    if target not in header:
        raise DataError(f"{path} has no column {target!r}; it has {', '.join(header)}")
    return header.index(target)


def _number(path: Path, line: int, column: str, text: str) -> float:
    if not _is_number(text):
        raise DataError(
            f"{path}, line {line}: column {column!r} must be a finite number, got {text!r:.60}"
        )
    return float(text)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
