"""Translates between the records of a study and those of a trial; checks on submission."""

import importlib.util
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.estimators import check_params_of, is_code
from swarm.learning.estimators.hyperparameters import Value
from swarm.learning.estimators.objectives import OBJECTIVES
from swarm.learning.estimators.table import Table, load_table, table_of, unused_columns
from swarm.learning.estimators.table_source import TableSource
from swarm.learning.image_shape import check_is_image
from swarm.learning.search.folds import check_enough
from swarm.learning.search.trial_records import (
    EpochReport,
    TrialOutcome,
    TrialTask,
)
from swarm.learning.search.trial_runner import check_task
from swarm.learning.tables.canonical_csv import canonical_csv, is_unicode
from swarm.learning.tables.reading import TEXT_ENDINGS, read_bytes, read_sheet
from swarm.learning.tables.target import REFUSE, choose_target, with_target
from swarm.search.catalog import FILE, SKLEARN_MODELS
from swarm.search.space import CATEGORICAL, INTEGER, Dimension
from swarm.search.study import StudySpec
from swarm.search.trial import (
    COMPLETE,
    PRUNED,
    EpochPoint,
    Trial,
    TrialReport,
    TrialResult,
    failed,
)

IMAGE_MODELS = ("keras-cnn", "keras-lenet")


@dataclass(frozen=True, slots=True)
class OwnData:
    """The submitter's own data, read and checked."""

    data: bytes
    """What the study's peers get."""
    summary: str = ""
    """How a table was understood, in one line."""
    notes: tuple[str, ...] = ()
    """What was left out of a table."""


def check_study(spec: StudySpec, *, allow_code: bool = False) -> None:
    """Check that every trial of a study could run here. Reads no data.

    Args:
        spec: The study.
        allow_code: Whether models that are a `module:function` may run here.

    Raises:
        ConfigurationError: Model, hyperparameter, bound, data or objective is wrong; it is named.
    """
    for space in spec.models:
        if is_code(space.model):
            _check_code(space.model, allow_code=allow_code)
        check_params_of(space.model, dict(space.fixed))
        for dimension in space.dimensions:
            for value in _extremes(dimension):
                check_params_of(space.model, {dimension.name: value})
        places = Places(data_path="data", allow_code=allow_code)
        check_task(_task(spec, space.model, dict(space.fixed), places))


def read_own_data(spec: StudySpec, path: Path, missing_target: str = REFUSE) -> OwnData:
    """Read the submitter's own file, and check that every model of the study can learn from it.

    Otherwise all trials would fail, on all machines, one after the other. This reads the file,
    blocks meanwhile, and imports neither scikit-learn nor Keras.

    Args:
        spec: A study of own data that passed `check_study`.
        path: The file on the submitter's machine; error messages name it.
        missing_target: `refuse`, or `drop` rows of a table whose target is missing.

    Returns:
        The bytes for the study's peers. A table that all of them read alike stays as it is.

    Raises:
        DataError: The file is malformed, has too few examples or classes, or a value that a
            model cannot take; the message names it, with line and column of a table.
        ConfigurationError: A model or the objective does not fit the data.
    """
    data = _task(spec, spec.models[0].model, {}, Places(data_path=str(path))).data
    if data.file_format == "npz":
        own = OwnData(read_bytes(path, str(path)))
        table = load_table(data)
    else:
        own, table = _read_own_table(data, path, missing_target)
    table = table.sample(data.max_examples, spec.seed)
    check_enough(table, spec.folds)
    for space in spec.models:
        _check_fits(space.model, table)
    return own


def _read_own_table(data: TableSource, path: Path, missing_target: str) -> tuple[OwnData, Table]:
    sheet = read_sheet(path, str(path))
    name, _ = choose_target(sheet, data.target)
    kept, left_out = with_target(sheet, name, missing_target)
    bytes_ = read_bytes(path, str(path))
    if left_out or path.suffix.lower() not in TEXT_ENDINGS or not is_unicode(bytes_):
        bytes_ = canonical_csv(kept)
    notes = [*sheet.notes, left_out, *unused_columns(kept.without(name))]
    table = table_of(kept, name, data.kind)
    return OwnData(bytes_, kept.summary, tuple(filter(None, notes))), table


@dataclass(frozen=True, slots=True)
class Places:
    """Where a trial finds its input on this machine, and where it writes its output."""

    data_path: str | None = None
    """File with the study's own data, if it has any."""
    data_dir: str | None = None
    """Folder that may hold `cifar-10-batches-bin`."""
    cache_dir: str = ""
    """Folder for downloaded and generated data."""
    resume_path: str | None = None
    """A checkpoint to resume from."""
    checkpoint_dir: str | None = None
    """Folder for checkpoints; None means that none are written."""
    allow_code: bool = False
    """Whether models that are a `module:function` may run here."""


NOWHERE = Places()


def task_of(spec: StudySpec, trial: Trial, places: Places = NOWHERE) -> TrialTask:
    """The task that runs a trial of a study.

    Raises:
        ConfigurationError: The study has its own data, and `places` has no path to it.
    """
    return _task(spec, trial.model, trial.values, places)


def report_of(trial: Trial, report: EpochReport) -> TrialReport:
    """The study's record of an epoch; the peer fills in which peer executes the trial."""
    blob = report.checkpoint.blob if report.checkpoint else None
    return TrialReport(trial.id, point_of(report), blob)


def point_of(report: EpochReport) -> EpochPoint:
    """A point of the trial's curve: the mean of the folds, which are trained side by side."""
    return EpochPoint(
        report.epoch,
        report.value,
        train_loss=_finite(report.metrics.get("train_loss")),
        validation_loss=_finite(report.metrics.get("log_loss", report.metrics.get("rmse"))),
    )


def result_of(trial: Trial, outcome: TrialOutcome, curve: Iterable[EpochPoint]) -> TrialResult:
    """The study's record of a trial's end.

    Args:
        trial: The trial.
        outcome: How it ended.
        curve: All its points, including those before it was resumed.
    """
    if outcome.value is None:
        return failed(trial.id, outcome.error or "", outcome.duration_s)
    return TrialResult(
        trial.id,
        PRUNED if outcome.stopped else COMPLETE,
        outcome.value,
        outcome.duration_s,
        fold_values=outcome.fold_values,
        curve=tuple(curve),
    )


def _task(spec: StudySpec, model: str, params: dict[str, Value], places: Places) -> TrialTask:
    if spec.dataset == FILE and places.data_path is None:
        raise ConfigurationError("the study has its own data, which is not on this machine")
    file_format: Literal["", "csv", "npz"] = ""
    if spec.dataset == FILE:
        file_format = "csv" if spec.data_format == "csv" else "npz"
    data = TableSource(
        name=str(places.data_path) if spec.dataset == FILE else spec.dataset,
        file_format=file_format,
        target=spec.target or None,
        kind=OBJECTIVES[spec.objective].kind,
        max_examples=spec.examples_max or None,
        data_dir=places.data_dir,
        cache_dir=places.cache_dir,
    )
    return TrialTask(
        model=model,
        params=params,
        data=data,
        objective=spec.objective,
        folds=spec.folds,
        epochs=spec.epochs_max,
        seed=spec.seed,
        resume_path=places.resume_path,
        checkpoint_dir=places.checkpoint_dir,
        allow_code=places.allow_code,
    )


def _check_code(model: str, *, allow_code: bool) -> None:
    if not allow_code:
        raise ConfigurationError(
            f"models.{model}: is custom code, which runs only on peers that were started "
            "with --allow-code, and not through a broker"
        )
    package = model.partition(":")[0].partition(".")[0]
    try:
        is_here = importlib.util.find_spec(package) is not None
    except ValueError:  # not a module name
        is_here = False
    if not is_here:
        raise ConfigurationError(
            f"models.{model}: there is no module {package!r} here; install it on every machine "
            "that works for the study, or start peers in the folder that holds it"
        )


def _check_fits(model: str, table: Table) -> None:
    if model not in SKLEARN_MODELS and table.beyond_float32:
        raise DataError(
            f"{table.label}: {table.beyond_float32}, and models.{model} computes in float32"
        )
    if model in IMAGE_MODELS:
        try:
            check_is_image(model, tuple(table.x.shape[1:]))
        except ConfigurationError as error:
            raise ConfigurationError(f"{table.label}: {error}") from error


def _extremes(dimension: Dimension) -> tuple[Value, ...]:
    if dimension.kind == CATEGORICAL:
        return dimension.choices
    if dimension.kind == INTEGER:
        return int(dimension.low), int(dimension.high)
    return dimension.low, dimension.high


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
