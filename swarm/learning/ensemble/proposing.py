"""propose_spec() and check_spec(): the first member's spec, and how another's data differs."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.columns import CATEGORY, NUMBER, TARGET, Column, target_of
from swarm.core.errors import ConfigurationError, DataError
from swarm.core.suggestions import did_you_mean
from swarm.ensemble.spec import ENSEMBLE_TASKS, EnsembleSpec
from swarm.learning.datasets import npz
from swarm.learning.datasets.targets import recognise, texts
from swarm.learning.ensemble.row_tables import cells_of, features_of
from swarm.learning.tables.encoding import derive_columns
from swarm.learning.tables.reading import read_sheet
from swarm.learning.tables.sheet import Sheet
from swarm.learning.tables.target import (
    DROP,
    choose_target,
    labels_of,
    numbers_of,
    recognise_task,
    with_target,
)

SKEWED = 0.75
"""A positive target of a greater skewness is learnt on the scale of log1p."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A spec, and what its user should know."""

    spec: EnsembleSpec
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between a member's data and a spec."""

    column: str
    """Empty if it is not of one column."""
    text: str
    """What differs, and what to do."""
    is_error: bool
    """Whether the member cannot take part before it is mended."""


def propose_spec(
    source: Any,
    name: str,
    *,
    target: str | None = None,
    task: str | None = None,
    settings: dict[str, Any] | None = None,
) -> Proposed:
    """Propose an ensemble from its first member's data.

    Args:
        source: A table (path, sheet, DataFrame or dict of arrays), an `.npz` file of arrays
            x_train and y_train, or a pair of arrays (x, y).
        name: The ensemble's name.
        target: The column to predict; None: see `swarm.learning.tables.target.choose_target`.
        task: `regression` or `classification`; None means that the target decides.
        settings: Other fields of the spec, such as `combination`, `deadline_s` or `founder`;
            `transform` replaces what the target says.

    Raises:
        ConfigurationError: A setting breaks a rule.
        DataError: The data breaks a rule; the message names it.
    """
    if task is not None and task not in ENSEMBLE_TASKS:
        raise ConfigurationError(f"task must be one of {', '.join(ENSEMBLE_TASKS)}, got {task!r}")
    arrays = arrays_of(source)
    fields, notes = (
        _table_fields(source, target, task) if arrays is None else _array_fields(*arrays, task)
    )
    fields |= settings or {}
    if fields["task"] == "classification":
        fields["metric"] = "log-loss"
    else:
        fields["metric"] = "rmsle" if fields["transform"] == "log1p" else "rmse"
    try:
        return Proposed(EnsembleSpec(name=name, **fields), notes)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"the ensemble cannot be: {error}") from error


def check_spec(source: Any, spec: EnsembleSpec) -> tuple[Difference, ...]:
    """Compare a member's data with a spec; each difference names the column and what to do.

    Args:
        source: See `propose_spec`.
        spec: The ensemble.

    Raises:
        DataError: The data cannot be read.
    """
    arrays = arrays_of(source)
    if (arrays is None) != bool(spec.columns):
        due, got = ("a table", "arrays") if spec.columns else ("arrays", "a table")
        return (Difference("", f"the ensemble takes {due}, got {got}: bring {due}", True),)
    if arrays is not None:
        return _array_differences(*arrays, spec)
    sheet = _sheet(source)
    target = target_of(spec.columns)
    assert target is not None  # noqa: S101 - EnsembleSpec checks it
    found: list[Difference] = []
    for column in features_of(spec):
        found += _column_differences(sheet, column)
    found += _target_differences(sheet, target.name, spec)
    known = {column.name for column in spec.columns}
    spare = [name for name in sheet.names if name not in known]
    found += [Difference(name, f"column {name!r:.80} is not used", False) for name in spare]
    return tuple(found)


def arrays_of(source: Any) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Examples and targets, if the source has arrays; None if it is a table."""
    if isinstance(source, tuple):
        return np.asarray(source[0]), np.asarray(source[1])
    if isinstance(source, str | Path) and Path(source).suffix.lower() == ".npz":
        try:
            with np.load(source, allow_pickle=False) as file:
                is_table = not {"x_train", "x", "X_train", "X"} & set(file.files)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"cannot read {source}: {error}") from error
        if not is_table:
            raw = npz.read(Path(source))
            if isinstance(raw.train.x, dict):
                raise DataError(f"{source}: an ensemble takes one array of examples, not several")
            return raw.train.x, raw.train.y
    return None


def _sheet(source: Any) -> Sheet:
    return source if isinstance(source, Sheet) else read_sheet(source)


def _table_fields(
    source: Any, wanted: str | None, task: str | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    sheet = _sheet(source)
    name, how = choose_target(sheet, wanted)
    sheet, left_out = with_target(sheet, name, DROP)
    derived = derive_columns(sheet.without(name))
    notes = [note for note in (*sheet.notes, how, left_out, *derived.notes) if note]
    task = task or recognise_task(sheet.column(name))
    fields: dict[str, Any] = {"task": task}
    column = Column(name, TARGET)
    if task == "classification":
        fields["classes"] = labels_of(sheet, name).names
    else:
        values = numbers_of(sheet, name)
        fields["transform"] = _transform(values)
        column = replace(column, mean=float(values.mean()), scale=float(values.std()) or 1.0)
    fields["columns"] = (*derived.columns, column)
    return fields, tuple(notes)


def _array_fields(
    x: NDArray[Any], y: NDArray[Any], task: str | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = recognise("the data", y, task)
    if found.task not in ENSEMBLE_TASKS:
        raise DataError(f"an ensemble is for regression or classification, got {found.task}")
    fields: dict[str, Any] = {"task": found.task, "input_shape": tuple(map(int, x.shape[1:]))}
    if found.task == "classification":
        fields["classes"] = found.classes or tuple(map(str, range(found.num_classes)))
    else:
        fields["transform"] = _transform(np.asarray(y, np.float64).reshape(-1))
    return fields, (found.note,) if found.note else ()


def _transform(values: NDArray[np.float64]) -> str:
    """`log1p` for a positive target with a long tail, as prices have."""
    deviation = values.std()
    if deviation <= 0 or values.min() <= 0:
        return "none"
    skewness = float((((values - values.mean()) / deviation) ** 3).mean())
    return "log1p" if skewness > SKEWED else "none"


def _column_differences(sheet: Sheet, column: Column) -> list[Difference]:
    name = column.name
    if name not in sheet.names:
        hint = did_you_mean(name, sheet.names)
        text = (
            f"column {name!r:.80} is not there{hint}: it counts as missing in all rows; rename or "
            "add it if you have it"
        )
        return [Difference(name, text, False)]
    found = sheet.column(name)
    _, problem = cells_of(sheet, found, column)
    if problem:
        return [Difference(name, problem, True)]
    if column.kind == NUMBER and found.kind == "text" and not found.missing.all():
        return [
            Difference(name, f"column {name!r:.80} holds numbers as text: read as such", False)
        ]
    if column.kind == CATEGORY:
        known = set(column.categories)
        others = Counter(text for text in found.texts() if text and text not in known)
        if others:
            text = (
                f"column {name!r:.80} has {len(others)} categories that the founder has not, as "
                f"in {others.most_common(1)[0][0]!r:.60}: your model learns them; check that they "
                "are no other spelling"
            )
            return [Difference(name, text, False)]
    return []


def _target_differences(sheet: Sheet, name: str, spec: EnsembleSpec) -> list[Difference]:
    if name not in sheet.names:
        text = (
            f"column {name!r:.80}, the target, is not there{did_you_mean(name, sheet.names)}: "
            "rename or add it"
        )
        return [Difference(name, text, True)]
    try:
        rows, _ = with_target(sheet, name, DROP)
        if not spec.classes:
            values = numbers_of(rows, name)
            if spec.transform == "log1p" and values.min() <= -1:
                raise DataError(f"the target must be greater than -1, got {values.min()}")
            return []
    except DataError as error:
        return [Difference(name, str(error), True)]
    unknown = Counter(text for text in rows.column(name).texts() if text not in spec.classes)
    if not unknown:
        return []
    text = (
        f"column {name!r:.80}, the target, has classes that the ensemble does not know, as in "
        f"{unknown.most_common(1)[0][0]!r:.60} ({unknown.total():,} rows): leave these rows out, "
        f"or write one of {', '.join(spec.classes[:20])}"
    )
    return [Difference(name, text, True)]


def _array_differences(
    x: NDArray[Any], y: NDArray[Any], spec: EnsembleSpec
) -> tuple[Difference, ...]:
    found = []
    if x.shape[1:] != spec.input_shape:
        text = f"examples have shape {x.shape[1:]}, the ensemble's have {spec.input_shape}"
        found.append(Difference("", f"{text}: reshape them", True))
    if spec.classes:
        unknown = sorted(set(map(str, texts(y.reshape(-1)))) - set(spec.classes))
        if unknown:
            text = f"the ensemble does not know the class {unknown[0]!r:.60}: leave such rows out"
            found.append(Difference("", text, True))
    elif y.dtype.kind not in "biuf":
        found.append(Difference("", "targets of a regression must be numbers", True))
    return tuple(found)
