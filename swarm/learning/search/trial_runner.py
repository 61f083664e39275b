"""run_trial(): epochs over folds, a report after each, a score at the end."""

import math
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import ConfigurationError, LearningError
from swarm.learning.estimators import check_params_of, find_family, is_code
from swarm.learning.estimators.family import Estimator, Family, Problem
from swarm.learning.estimators.objectives import (
    Objective,
    find_objective,
    mean_of_folds,
    measure_all,
)
from swarm.learning.estimators.table import Table, check_source, load_table
from swarm.learning.estimators.table_source import TableSource
from swarm.learning.search.checkpoints import read_checkpoint, write_checkpoint
from swarm.learning.search.folds import Fold, make_folds
from swarm.learning.search.trial_records import (
    Checkpoint,
    EpochReport,
    TrialOutcome,
    TrialTask,
)

OnReport = Callable[[EpochReport], None]
GoOn = Callable[[], bool]
Fill = NDArray[np.float64] | None
"""What stands for missing numbers in one fold, see `Table.fill`."""

TABLES_MAX = 4
"""Number of tables kept in memory."""


class TrialStoppedError(LearningError):
    """The trial was stopped before its first epoch was finished."""


def check_task(task: TrialTask) -> None:
    """Check that a trial can run. Reads no data, imports no library.

    Raises:
        ConfigurationError: Model, hyperparameter, data or objective is wrong; it is named.
    """
    family = find_family(task.model)
    if is_code(task.model) and not task.allow_code:
        raise ConfigurationError(
            f"model {task.model!r} is custom code: it runs only on peers started with --allow-code"
        )
    check_params_of(task.model, task.params)
    check_source(task.data)
    find_objective(task.objective, task.data.kind)
    if task.data.kind not in family.kinds:
        raise ConfigurationError(
            f"models.{task.model} is for {', '.join(family.kinds)}, not for {task.data.kind}"
        )


def run_trial(
    task: TrialTask,
    on_report: OnReport = lambda report: None,
    go_on: GoOn = lambda: True,
) -> TrialOutcome:
    """Run one trial; any error in it becomes its outcome.

    The same task gives the same value and reports, even if it was interrupted and resumed.

    Args:
        task: What to run.
        on_report: Called after each epoch, if the model trains in epochs.
        go_on: Called between epochs and folds; the trial stops when it returns False.
    """
    started_s = time.perf_counter()
    try:
        check_task(task)
        with warnings.catch_warnings():
            # A trial that did not converge, or overflowed, is scored by its predictions.
            warnings.simplefilter("ignore")
            scores, epochs, stopped = _Trial(task).run(on_report, go_on)
    except (Exception, SystemExit) as error:  # a user's code can raise anything, and libraries do
        text = f"{type(error).__name__}: {error}"
        if isinstance(error, SystemExit):
            text = f"the model's code called sys.exit({error.code!r})"
        stopped = isinstance(error, TrialStoppedError)
        spent_s = time.perf_counter() - started_s
        return TrialOutcome(None, {}, (), 0, spent_s, error=text, stopped=stopped)
    return TrialOutcome(
        scores.value,
        scores.metrics,
        scores.fold_values,
        epochs,
        time.perf_counter() - started_s,
        stopped=stopped,
    )


@dataclass(frozen=True, slots=True)
class _Scores:
    """Scores of all folds after one epoch."""

    metrics: dict[str, float]
    """Means over the folds."""
    fold_values: tuple[float, ...]
    value: float


class _Trial:
    """The estimators of one trial, one per fold, trained side by side."""

    def __init__(self, task: TrialTask) -> None:
        self._task = task
        self._family: Family = find_family(task.model)
        self._objective: Objective = find_objective(task.objective, task.data.kind)
        self._table, self._folds = _cut_table(task)
        self._fills = [self._table.fill(train) for train, _ in self._folds]
        self._epochs = int(task.params.get("epochs", task.epochs))
        if not self._family.has_epochs:
            self._epochs = 1
        self._models = self._create_models()

    def run(self, on_report: OnReport, go_on: GoOn) -> tuple[_Scores, int, bool]:
        """Train; return the last epoch's scores, its number, and whether the trial was stopped."""
        first = self._resume()
        scores: _Scores | None = None
        if first > self._epochs:  # all epochs are in the checkpoint: score it
            scores = self._combine(
                [
                    self._score(model, test, fill, first - 1)
                    for model, (_, test), fill in self._parts()
                ]
            )
        for epoch in range(first, self._epochs + 1):
            done = self._run_epoch(epoch, go_on)
            if done is None:
                if scores is None:
                    raise TrialStoppedError("the trial was stopped before an epoch was done")
                return scores, epoch - 1, True
            scores = done
            if not math.isfinite(scores.value):
                raise LearningError(f"{self._objective.name} is {scores.value} in epoch {epoch}")
            self._report(epoch, scores, on_report)
        assert scores is not None  # noqa: S101 - there is at least one epoch
        return scores, max(self._epochs, first - 1), False

    def _create_models(self) -> list[Estimator]:
        table = self._table
        problem = Problem(
            table.kind,
            tuple(table.x.shape[1:]),
            len(table.classes),
            self._objective.needs_probabilities,
            is_double=table.x.dtype == np.float64,
            beyond_float32=table.beyond_float32,
        )
        seeds = np.random.SeedSequence(self._task.seed % 2**64).generate_state(len(self._folds))
        return [self._family.create(self._task.params, problem, int(seed)) for seed in seeds]

    def _resume(self) -> int:
        """Restore the checkpoint, if there is one; return the first epoch to train."""
        if self._task.resume_path is None:
            return 1
        epoch, states = read_checkpoint(self._task, self._task.resume_path)
        for model, state in zip(self._models, states, strict=True):
            model.restore(state)
        return epoch + 1

    def _run_epoch(self, epoch: int, go_on: GoOn) -> _Scores | None:
        """Train and score one epoch; return None if the trial was stopped."""
        found = []
        for model, (train, test), fill in self._parts():
            if not go_on():
                return None
            x = self._table.examples(train, fill)
            loss = model.train_epoch(x, self._table.y[train], epoch)
            if loss is not None:
                _check_finite("loss", loss, epoch)
            measured = self._score(model, test, fill, epoch)
            if loss is not None:
                measured["train_loss"] = loss
            found.append(measured)
        return self._combine(found)

    def _combine(self, folds: list[dict[str, float]]) -> _Scores:
        name = self._objective.name
        metrics = mean_of_folds(folds)
        return _Scores(metrics, tuple(fold[name] for fold in folds), metrics[name])

    def _score(
        self, model: Estimator, test: NDArray[np.int64], fill: Fill, epoch: int
    ) -> dict[str, float]:
        predictions = model.predict(self._table.examples(test, fill))
        # Without this check, the largest of several NaNs would be scored as an answer.
        outputs = predictions.probabilities
        if outputs is None:
            outputs = predictions.labels
        if not (is_finite := np.isfinite(outputs)).all():
            _check_finite("a prediction", outputs[~is_finite][0], epoch)
        return measure_all(self._objective, self._table.y[test], predictions)

    def _report(self, epoch: int, scores: _Scores, on_report: OnReport) -> None:
        if self._family.has_epochs:
            on_report(EpochReport(epoch, scores.value, scores.metrics, self._checkpoint(epoch)))

    def _checkpoint(self, epoch: int) -> Checkpoint | None:
        folder = self._task.checkpoint_dir
        if folder is None or epoch % self._task.checkpoint_every:
            return None
        states = [state for model in self._models if (state := model.state()) is not None]
        if not states:
            return None
        return write_checkpoint(self._task, epoch, states, folder)

    def _parts(self) -> list[tuple[Estimator, Fold, Fill]]:
        return list(zip(self._models, self._folds, self._fills, strict=True))


def _check_finite(what: str, value: float, epoch: int) -> None:
    if not math.isfinite(value):
        raise LearningError(f"{what} is {value} in epoch {epoch}: the training diverged")


def _cut_table(task: TrialTask) -> tuple[Table, list[Fold]]:
    """A task's examples and folds; read and split once for all trials of a study."""
    return _cut(task.data, _version(task.data), task.folds, task.seed)


@lru_cache(maxsize=TABLES_MAX)
def _cut(
    data: TableSource, version: tuple[int, int], num_folds: int, seed: int
) -> tuple[Table, list[Fold]]:
    table = _read(data, version).sample(data.max_examples, seed)
    return table, make_folds(table, num_folds, seed)


@lru_cache(maxsize=TABLES_MAX)
def _read(data: TableSource, version: tuple[int, int]) -> Table:
    return load_table(data)


def _version(data: TableSource) -> tuple[int, int]:
    """A key that changes with a file, so that tables in memory are not stale."""
    path = Path(data.name)
    if not data.file_format or not path.exists():
        return 0, 0
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size
