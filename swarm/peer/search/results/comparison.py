"""compare(), plot_comparison(): several studies next to each other, by model."""

import importlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError
from swarm.peer.search.results.plots import require_matplotlib, save_figure
from swarm.peer.search.study_text import first_error
from swarm.search.study_ledger import StudyLedger
from swarm.search.trial import COMPLETE, FAILED, PRUNED, TrialResult
from swarm.search.values import Value


@dataclass(frozen=True, slots=True)
class BestOfModel:
    """A model's best trial in one study, and counts of its other trials."""

    study: str
    model: str
    objective: str
    value: float
    deviation: float | None
    """Standard deviation over the folds; None for a single fold."""
    number: int
    params: dict[str, Value]
    num_complete: int
    num_pruned: int
    num_failed: int
    total_s: float
    """Seconds that all its trials took together."""


def compare(ledgers: Sequence[StudyLedger]) -> list[BestOfModel]:
    """The best complete trial of each model of each study, best first.

    Raises:
        ConfigurationError: The studies have different objectives, or no trial is complete.
    """
    objectives = sorted({ledger.spec.objective for ledger in ledgers})
    if len(objectives) > 1:
        raise ConfigurationError(
            f"studies with different objectives cannot be compared: {', '.join(objectives)}"
        )
    rows = [
        row
        for ledger in ledgers
        for space in ledger.spec.models
        if (row := _best_of(ledger, space.model)) is not None
    ]
    if not rows:
        found = [result for ledger in ledgers for result in ledger.results.values()]
        raise ConfigurationError(
            f"none of the studies has a complete trial yet{first_error(found)}"
        )
    return sorted(rows, key=lambda row: row.value, reverse=ledgers[0].spec.maximizes)


def plot_comparison(ledgers: Sequence[StudyLedger], path: Path) -> Path:
    """Write a PNG: best value of each model, and best value so far by trials, for each study.

    Raises:
        ConfigurationError: As for `compare`, or matplotlib is not installed.
    """
    rows = compare(ledgers)
    require_matplotlib()
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.style.use("default")
    _, (left, right) = pyplot.subplots(
        1, 2, figsize=(13, max(4.0, 0.45 * len(rows) + 1.5)), layout="constrained"
    )
    names = [row.model if len(ledgers) == 1 else f"{row.study}: {row.model}" for row in rows]
    places = range(len(rows), 0, -1)
    left.barh(
        places, [row.value for row in rows], xerr=[row.deviation or 0.0 for row in rows], capsize=3
    )
    left.set_yticks(places, names)
    for place, row in zip(places, rows, strict=True):
        left.annotate(f"{row.value:.4f} ", (row.value, place), ha="right", va="center", color="w")
    objective = rows[0].objective
    left.set(xlabel=f"{objective} of the best trial (bar: deviation of folds)", title="By model")
    _zoom(left, rows)
    for ledger in ledgers:
        for model, values in _best_so_far(ledger).items():
            label = model if len(ledgers) == 1 else f"{ledger.spec.name}: {model}"
            right.step(range(1, len(values) + 1), values, where="post", label=label)
    right.set(xlabel="trials of the model", ylabel=f"best {objective} so far", title="By trials")
    right.legend(fontsize="small")
    right.grid(alpha=0.3)
    right.xaxis.get_major_locator().set_params(integer=True)
    return save_figure(path, left)


def _best_of(ledger: StudyLedger, model: str) -> BestOfModel | None:
    results = _results_of(ledger, model)
    complete = [result for result in results if result.state == COMPLETE]
    if not complete:
        return None
    best = complete[0]
    for result in complete[1:]:
        if ledger.spec.is_better(_value(result), _value(best)):
            best = result
    trial = ledger.trials[best.trial]
    return BestOfModel(
        study=ledger.spec.name,
        model=model,
        objective=ledger.spec.objective,
        value=_value(best),
        deviation=statistics.stdev(best.fold_values) if len(best.fold_values) > 1 else None,
        number=trial.number,
        params=trial.values,
        num_complete=len(complete),
        num_pruned=sum(result.state == PRUNED for result in results),
        num_failed=sum(result.state == FAILED for result in results),
        total_s=sum(result.duration_s for result in results),
    )


def _best_so_far(ledger: StudyLedger) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for space in ledger.spec.models:
        values: list[float] = []
        for result in _results_of(ledger, space.model):
            if result.state == COMPLETE:
                value = _value(result)
                if values and not ledger.spec.is_better(value, values[-1]):
                    value = values[-1]
                values.append(value)
        if values:
            found[space.model] = values
    return found


def _results_of(ledger: StudyLedger, model: str) -> list[TrialResult]:
    """In order of trials, so that of equal values the first one wins."""
    trials = sorted(ledger.trials.values(), key=lambda trial: (trial.number, trial.id))
    return [
        ledger.results[trial.id]
        for trial in trials
        if trial.model == model and trial.id in ledger.results
    ]


def _value(result: TrialResult) -> float:
    assert result.value is not None  # noqa: S101 - complete results have one
    return result.value


def _zoom(axes: Any, rows: Sequence[BestOfModel]) -> None:
    """Let the axis begin near the values: from 0, accuracies of 0.95 and 0.97 look the same."""
    values = [row.value for row in rows]
    margin = max(max(values) - min(values), 0.02 * abs(max(values)), 1e-9)
    axes.set_xlim(min(values) - 1.5 * margin, max(values) + 0.5 * margin)
