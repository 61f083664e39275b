"""Stratified, seeded cross-validation folds."""

import importlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.learning.tables.table import Table

HOLD_OUT_SHARE = 0.25
"""Held out where there is one fold."""

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Indices of the examples to train on, and of those to score on."""


def make_folds(table: Table, num_folds: int, seed: int) -> list[Fold]:
    """Cut a table's examples; every class is in every fold in the same share.

    Args:
        table: What to cut.
        num_folds: 1 holds a quarter of the examples out.
        seed: The same seed gives the same folds.

    Raises:
        DataError: There are too few examples, or too few of one class.
    """
    check_enough(table, num_folds)
    return [(np.sort(train), np.sort(test)) for train, test in _split(table, num_folds, seed)]


def check_enough(table: Table, num_folds: int) -> None:
    """Require as many examples as folds, of every class; imports nothing.

    Raises:
        DataError: There are too few.
    """
    if len(table.y) < max(2, num_folds):
        raise DataError(
            f"{table.label}: {num_folds} folds need as many examples, got {len(table.y)}"
        )
    if table.kind == "classification":
        _check_classes(table, max(2, num_folds))


def _check_classes(table: Table, least: int) -> None:
    counts = np.bincount(table.y, minlength=len(table.classes))
    rarest = int(counts.argmin())
    if counts[rarest] < least:
        raise DataError(
            f"{table.label}: every class must have at least {least} examples, one a fold; "
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
