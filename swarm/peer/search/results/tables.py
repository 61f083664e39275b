"""Results as rows: CSV for spreadsheets, JSON lines with curves for programs."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from swarm.search.study import StudySpec
from swarm.search.trial import Trial, TrialId, TrialResult

Trials = Mapping[TrialId, Trial]
_COLUMNS = ("number", "model", "state", "value", "duration_s", "epochs", "peer", "error", "trial")


def results_csv(spec: StudySpec, trials: Trials, results: Iterable[TrialResult]) -> str:
    """One line a result, in order of trials; a column for each hyperparameter of any of them."""
    rows = list(_in_order(trials, results))
    names = sorted({name for trial, _ in rows for name, _ in trial.params})
    target = io.StringIO(newline="")
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([*_COLUMNS, *(f"params.{name}" for name in names)])
    for trial, result in rows:
        row = _row(trial, result)
        values = (trial.values.get(name, "") for name in names)
        writer.writerow([*(_cell(row[column]) for column in _COLUMNS), *map(_cell, values)])
    return target.getvalue()


def results_json_lines(spec: StudySpec, trials: Trials, results: Iterable[TrialResult]) -> str:
    """One JSON object a result, with hyperparameters, fold values and curve."""
    lines = []
    for trial, result in _in_order(trials, results):
        found = {
            "study": spec.name,
            "objective": spec.objective,
            **_row(trial, result),
            "params": trial.values,
            "fold_values": list(result.fold_values),
            "curve": [asdict(point) for point in result.curve],
        }
        lines.append(json.dumps(found, allow_nan=False) + "\n")
    return "".join(lines)


def _in_order(
    trials: Trials, results: Iterable[TrialResult]
) -> Iterator[tuple[Trial, TrialResult]]:
    """A study of two coordinators may have two trials of one number; their ids differ."""
    pairs = ((trials[result.trial], result) for result in results)
    return iter(sorted(pairs, key=lambda pair: (pair[0].number, pair[0].id)))


def _row(trial: Trial, result: TrialResult) -> dict[str, Any]:
    return {
        "number": trial.number,
        "model": trial.model,
        "state": result.state,
        "value": result.value,
        "duration_s": result.duration_s,
        "epochs": max((point.epoch for point in result.curve), default=None),
        "peer": result.peer,
        "error": result.error,
        "trial": trial.id,
    }


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: errors and names are others' words."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
