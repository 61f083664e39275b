"""add_rows(): appends a file's rows to a member's; drift(): how far they are from earlier ones.

Rows are never changed or moved, and new ones come last: a model that was fitted on n rows was
fitted on the first n. `added.json` beside them remembers which files were added, and at which
place, so that a file which is given again after a crash adds nothing.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from swarm.core.canonical import sha256_hex
from swarm.core.errors import DataError, StorageError
from swarm.ensemble.records import NO_DRIFT, Drift, ModelRecord
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import Floats
from swarm.learning.ensemble.drift import ERRORS, Series, measure_drift, numeric_series
from swarm.learning.ensemble.jobs import Place
from swarm.learning.ensemble.labelled import (
    ADDED,
    LabelledRows,
    append_labelled,
    load_labelled,
    read_labelled,
)
from swarm.learning.ensemble.model_files import load_model
from swarm.learning.ensemble.row_tables import Rows
from swarm.learning.ensemble.validation import load_answers
from swarm.learning.tables.reading import read_bytes, read_sheet
from swarm.learning.tables.sheet import Sheet

REMEMBERED_MAX = 10_000
"""Files that are remembered; the first is forgotten first."""
RECENT_MAX = 2_000
"""Most rows since a fit that are read for drift."""


@dataclass(frozen=True, slots=True)
class Added:
    """What came of a file."""

    num_new: int
    """Rows that it added; 0 if it was added before."""
    num_left_out: int
    """Rows without a target."""
    num_rows: int
    """Rows of the member now."""


def add_rows(place: Place, source: Path, label: str) -> Added:
    """Append the rows of a file. They are put into a random order first: files are often sorted.

    Args:
        place: Where the member's things are.
        source: A table, or an `.npz` file where examples are arrays.
        label: Its name for the user.

    Raises:
        DataError: The file breaks a rule; the message names file, column and rule.
        StorageError: The disk refused the write.
    """
    spec, folder = place.spec, place.rows.parent
    digest = sha256_hex(read_bytes(source, label))
    held = load_labelled(place.rows, spec)
    # A file whose rows were noted and then not written was not added.
    places = {one: start for one, start in _load_places(folder).items() if start < len(held)}
    if digest in places:
        return Added(0, 0, len(held))
    rows, num_read = _read(source, label, held, spec)
    order = np.random.default_rng(spec.seed).permutation(len(rows))
    _save_places(folder, places | {digest: len(held)})
    append_labelled(place.rows, rows.only(order), spec)
    return Added(len(rows), num_read - len(rows), len(held) + len(rows))


def drift(place: Place, model: ModelRecord, path: Path, threshold: float) -> Drift:
    """Measure how far the rows that came after a fit are from those that the model was fitted on.

    Args:
        place: Where the member's things are.
        model: The model that answers.
        path: Its file.
        threshold: See `measure_drift`.

    Raises:
        DataError: Rows or out-of-fold answers are not at hand.
        ModelRefusedError: The file breaks a rule.
    """
    rows = load_labelled(place.rows, place.spec)
    places = np.arange(len(rows))
    recent = rows.only(places[max(model.num_rows, len(rows) - RECENT_MAX) :])
    if not len(recent):
        return NO_DRIFT
    fitted = rows.only(places[: model.num_rows])
    out_of_fold = load_answers(place.validation, model.version)
    loaded = load_model(path, place.spec, model.learner, allow_code=place.allow_code)
    errors = Series(
        ERRORS,
        errors_of(place.spec, out_of_fold.answers, rows.y[out_of_fold.rows]),
        errors_of(place.spec, loaded.answers(recent.x), recent.y),
    )
    columns = numeric_series(_numbers(fitted.x), _numbers(recent.x))
    return measure_drift([errors, *columns], threshold, place.spec.seed)


def errors_of(spec: EnsembleSpec, answers: Floats, targets: Floats) -> Floats:
    """Errors of answers, shape (n,): absolute, or of classes 1 - probability of the truth."""
    if not spec.classes:
        return np.abs(answers[:, 0] - targets)
    chosen = answers[np.arange(len(targets)), targets.astype(np.int64)]
    return np.asarray(1.0 - chosen, np.float64)


def _read(
    source: Path, label: str, held: LabelledRows, spec: EnsembleSpec
) -> tuple[LabelledRows, int]:
    """Rows of a file, and how many it has with those that have no target."""
    if not spec.columns:
        rows = read_labelled(source, spec)
        return rows, len(rows)
    sheet = read_sheet(source, label)
    _check_columns(sheet, held)
    return read_labelled(sheet, spec), len(sheet)


def _check_columns(sheet: Sheet, held: LabelledRows) -> None:
    """Refuse rows without columns that the member's other rows have: it would be a mistake."""
    assert isinstance(held.x, pd.DataFrame)  # noqa: S101 (the spec has columns)
    known = [name for name in held.x.columns if held.x[name].notna().any()]
    missing = [repr(name) for name in known if name not in sheet.names]
    if missing:
        listed = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        raise DataError(
            f"{sheet.label} lacks columns that this member's rows have: {listed}; add them, empty "
            "if nothing is known"
        )


def _numbers(x: Rows) -> dict[str, NDArray[np.float64]]:
    """Columns of numbers and dates; none of arrays."""
    if not isinstance(x, pd.DataFrame):
        return {}
    return {
        str(name): x[name].to_numpy(np.float64)
        for name in x.columns
        if pd.api.types.is_float_dtype(x[name].dtype)
    }


def _load_places(folder: Path) -> dict[str, int]:
    """Digests of added files, and how many rows there were before each."""
    path = folder / ADDED
    if not path.exists():
        return {}
    try:
        plain: dict[str, Any] = json.loads(path.read_bytes())
        return {str(digest): int(place) for digest, place in plain.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def _save_places(folder: Path, places: dict[str, int]) -> None:
    kept = dict(list(places.items())[-REMEMBERED_MAX:])
    path = folder / ADDED
    temporary = path.with_name(f"{ADDED}.new")
    try:
        temporary.write_text(json.dumps(kept))
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
