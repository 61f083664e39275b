"""Tables as data sets: rows of mixed columns become arrays, by the columns of the session.

The peer that starts a session derives the columns from its training rows; each peer encodes its
rows by them. The target of a regression is standardised too, so that a learning rate that suits
one unit suits all: predictions are (value - mean) / scale of the session's target column.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.columns import TARGET, Column, target_of
from swarm.core.errors import DataError
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets.dataset import ArrayExamples, Dataset, Split, split_stratified
from swarm.learning.datasets.description import DataDescription
from swarm.learning.tables.encoding import derive_columns, encode, unknown_categories
from swarm.learning.tables.reading import read_sheet
from swarm.learning.tables.sheet import Sheet
from swarm.learning.tables.target import (
    choose_target,
    labels_by,
    labels_of,
    numbers_of,
    recognise_task,
    with_target,
)

TEST_SHARE = 0.2
SPLIT_SEED = 0
SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table whose targets are all there, and how its rows are split."""

    sheet: Sheet
    target: str
    task: str
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    notes: tuple[str, ...]


def describe_table(
    source: Any, config: DataConfig, say: Callable[[str], None] = lambda note: None
) -> DataDescription:
    """Derive how a session encodes tables like this one.

    Args:
        source: See `read_sheet`.
        config: The target, the task and what happens to rows without target.
        say: Called with what a user should know: how the table was understood, what is left out.

    Raises:
        DataError: The table breaks a rule; the message names line and column.
    """
    return _described(read_sheet(source), config, say)


def check_table(source: Any, config: DataConfig) -> None:
    """Check that a table can be read, before the session that it is for is known.

    Raises:
        DataError: It breaks a rule, or has no such target.
    """
    sheet = read_sheet(source)
    if config.target is not None:
        with_target(sheet, sheet.column(config.target).name, config.missing_target)


def load_table(source: Any, config: DataConfig, session: DataDescription | None = None) -> Dataset:
    """Read a table and encode it by the columns of a session; without one, by its own.

    Args:
        source: See `read_sheet`.
        config: See `describe_table`; the session fixes target and task.
        session: What the session fixes.

    Raises:
        DataError: The table breaks a rule, or does not fit the session; the message names each
            column that does not, and what to do.
    """
    sheet = read_sheet(source)
    if session is None:
        session = _described(sheet, config, lambda note: None)
    target = target_of(session.columns)
    if target is None:
        raise DataError(
            f"{sheet.label} is a table, the session's data are arrays of shape "
            f"{session.input_shape}: bring such arrays, or start a session of your own"
        )
    if config.target not in (None, target.name):
        raise DataError(f"the session predicts {target.name!r}, not {config.target!r}")
    rows = _with_target(sheet, target.name, session.task, config.missing_target)
    x = encode(rows.sheet, session.columns).astype(np.float32)
    y = _targets(rows, session, target)
    rows = _split(rows, y)
    train, test = (Split(ArrayExamples(x[part]), y[part]) for part in (rows.train, rows.test))
    notes = (*rows.notes, *_unused(sheet, session.columns))
    doubts = _unknown(rows.sheet, session.columns)
    return Dataset(f"own data ({sheet.label})", False, session, train, test, notes, doubts)


def _described(sheet: Sheet, config: DataConfig, say: Callable[[str], None]) -> DataDescription:
    target, how = choose_target(sheet, config.target)
    rows = _with_target(sheet, target, config.task, config.missing_target)
    target_only = _of_target(rows)
    rows = _split(rows, _targets(rows, target_only, target_only.columns[0]))
    features = rows.sheet.only(rows.train).without(target)
    derived = derive_columns(features)
    columns = (*derived.columns, *_of_target(rows).columns)
    description = replace(
        target_only, input_shape=(sum(column.width for column in columns),), columns=columns
    )
    left = len(features.columns) - len(derived.columns)
    say(
        f"{sheet.summary}: {rows.task} of {target!r} from {len(derived.columns)} columns"
        + (f" ({left} left out)" if left else "")
        + f", which give {description.input_shape[0]} numbers per row"
    )
    for note in (how, *rows.notes, *derived.notes):
        if note:
            say(note)
    return description


def _with_target(sheet: Sheet, target: str, task: str | None, missing_target: str) -> _Rows:
    kept, left_out = with_target(sheet, target, missing_target)
    task = task or recognise_task(kept.column(target))
    if task not in ("classification", "regression"):
        raise DataError(f"{sheet.label}: a table is for classification or regression, not {task}")
    if len(kept) < 2:
        raise DataError(f"{sheet.label} must have at least 2 rows with a target, got {len(kept)}")
    every = np.arange(len(kept))
    return _Rows(kept, target, task, every, every, tuple(filter(None, (*sheet.notes, left_out))))


def _split(rows: _Rows, y: NDArray[Any]) -> _Rows:
    """Hold out a fifth of the rows, in equal shares of each class."""
    num_rows = len(rows.sheet)
    labels = y if rows.task == "classification" else None
    train, test = split_stratified(num_rows, labels, TEST_SHARE, SPLIT_SEED)
    note = (
        f"no test rows were given: {len(test):,} of {num_rows:,} are held out to measure the "
        f"model, {len(train):,} are for training"
    )
    return replace(rows, train=train, test=test, notes=(*rows.notes, note))


def _of_target(rows: _Rows) -> DataDescription:
    """What a session fixes about the target; its only column, from the training rows."""
    target = Column(rows.target, TARGET)
    if rows.task == "regression":
        values = numbers_of(rows.sheet, rows.target)[rows.train]
        target = replace(target, mean=float(values.mean()), scale=float(values.std()) or 1.0)
        return DataDescription((), 1, rows.task, columns=(target,))
    labels = labels_of(rows.sheet, rows.target)
    classes = () if labels.are_plain else labels.names
    return DataDescription((), len(labels.names), rows.task, classes, columns=(target,))


def _targets(rows: _Rows, session: DataDescription, target: Column) -> NDArray[Any]:
    if session.task == "regression":
        values = (numbers_of(rows.sheet, target.name) - target.mean) / target.scale
        return values.astype(np.float32)[:, np.newaxis]
    classes = session.classes or tuple(map(str, range(session.num_classes)))
    return labels_by(rows.sheet, target.name, classes)


def _unused(sheet: Sheet, columns: tuple[Column, ...]) -> tuple[str, ...]:
    known = {column.name for column in columns}
    extra = [name for name in sheet.names if name not in known]
    return (f"columns that the session does not use: {_shown(extra)}",) if extra else ()


def _unknown(sheet: Sheet, columns: tuple[Column, ...]) -> tuple[str, ...]:
    unknown = unknown_categories(sheet, columns)
    if not unknown:
        return ()
    return (f"categories that count as 'other' here: {_shown(list(unknown))}",)


def _shown(names: list[str]) -> str:
    return ", ".join(names[:SHOWN_MAX]) + (", ..." if len(names) > SHOWN_MAX else "")
