"""Between a study's records and a trial's: what to run, and what came of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from swarm.core.errors import ConfigurationError
from swarm.learning.trials.families import find_family
from swarm.learning.trials.hyperparameters import check_params
from swarm.learning.trials.objectives import OBJECTIVES
from swarm.learning.trials.records import EpochReport, TrialData, TrialOutcome, TrialTask, Value
from swarm.learning.trials.runner import check_task
from swarm.search.catalog import FILE
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


def check_study(spec: StudySpec) -> None:
    """Require that every trial a study can ask for could be run; reads no data.

    Raises:
        ConfigurationError: Model, hyperparameter, bound, data or objective is wrong; it is named.
    """
    for space in spec.models:
        if ":" in space.model:
            raise ConfigurationError(f"models.{space.model}: models that are code are not tried")
        declared = find_family(space.model).hyperparameters
        check_params(space.model, declared, dict(space.fixed))
        for dimension in space.dimensions:
            for value in _extremes(dimension):
                check_params(space.model, declared, {dimension.name: value})
        check_task(_task(spec, space.model, dict(space.fixed), Places(data_path="data")))


@dataclass(frozen=True, slots=True)
class Places:
    """Where on this machine is what a trial needs, and goes what it leaves."""

    data_path: str | None = None
    """The study's own data, if it has such."""
    data_dir: str | None = None
    """Folder that may hold `cifar-10-batches-bin`."""
    cache_dir: str = ""
    """Folder for downloaded and generated data."""
    resume_path: str | None = None
    """A checkpoint to go on from."""
    checkpoint_dir: str | None = None
    """Folder for checkpoints; None writes none."""


NOWHERE = Places()


def task_of(spec: StudySpec, trial: Trial, places: Places = NOWHERE) -> TrialTask:
    """What to run for a trial of a study.

    Raises:
        ConfigurationError: The study has data of its own, and no path is given.
    """
    return _task(spec, trial.model, trial.values, places)


def report_of(trial: Trial, report: EpochReport) -> TrialReport:
    """What to tell the study of an epoch; who executes the trial is filled in by its peer."""
    blob = report.checkpoint.blob if report.checkpoint else None
    return TrialReport(trial.id, point_of(report), blob)


def point_of(report: EpochReport) -> EpochPoint:
    """A point of the trial's curve, the mean of the folds, which are trained side by side."""
    return EpochPoint(
        report.epoch,
        report.value,
        train_loss=_finite(report.metrics.get("train_loss")),
        validation_loss=_finite(report.metrics.get("log_loss", report.metrics.get("rmse"))),
    )


def result_of(trial: Trial, outcome: TrialOutcome, curve: Iterable[EpochPoint]) -> TrialResult:
    """What came of a trial.

    Args:
        trial: Which.
        outcome: How it ended.
        curve: Its points, those before a resumption included.
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
        raise ConfigurationError("the study has data of its own, which is not here")
    file_format: Literal["", "csv", "npz"] = ""
    if spec.dataset == FILE:
        file_format = "csv" if spec.data_format == "csv" else "npz"
    data = TrialData(
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
    )


def _extremes(dimension: Dimension) -> tuple[Value, ...]:
    if dimension.kind == CATEGORICAL:
        return dimension.choices
    if dimension.kind == INTEGER:
        return int(dimension.low), int(dimension.high)
    return dimension.low, dimension.high


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
