"""Stratified, seeded cross-validation folds."""

import importlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.learning.estimators.table import Table

HOLD_OUT_SHARE = 0.25
"""Share of the examples that is held out if there is one fold."""

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Indices of the examples to train on and of the examples to score on."""


def make_folds(table: Table, num_folds: int, seed: int) -> list[Fold]:
    """Split a table's examples; each class has the same share in every fold.

    Args:
        table: The examples.
        num_folds: At least 1; 1 holds out a quarter of the examples.
        seed: The same seed gives the same folds.

    Raises:
        DataError: There are too few examples, or too few of one class.
    """
    check_enough(table, num_folds)
    return [(np.sort(train), np.sort(test)) for train, test in _split(table, num_folds, seed)]


def check_enough(table: Table, num_folds: int) -> None:
    """Check that there are as many examples as folds, of each class. Imports no library.

    Raises:
        DataError: There are too few.
    """
    least = max(2, num_folds)
    if len(table.y) < least:
        raise DataError(
            f"{table.label}: {num_folds} folds need at least {least} examples, got {len(table.y)}"
        )
    if table.kind == "classification":
        _check_classes(table, least)


def _check_classes(table: Table, least: int) -> None:
    counts = np.bincount(table.y, minlength=len(table.classes))
    rarest = int(counts.argmin())
    if counts[rarest] < least:
        raise DataError(
            f"{table.label}: every class must have at least {least} examples, one per fold; "
            f"{table.classes[rarest]!r} has {counts[rarest]}"
        )


def _split(table: Table, num_folds: int, seed: int) -> Iterator[Fold]:
    selection = importlib.import_module("sklearn.model_selection")
    stratified = table.kind == "classification"
    random_state = seed % 2**32
    places = np.arange(len(table.y))
    if num_folds == 1:
        yield tuple(
            selection.train_test_split(
                places,
                test_size=max(HOLD_OUT_SHARE, len(table.classes) / len(places)),
                random_state=random_state,
                stratify=table.y if stratified else None,
            )
        )
        return
    kind = selection.StratifiedKFold if stratified else selection.KFold
    yield from kind(num_folds, shuffle=True, random_state=random_state).split(places, table.y)
