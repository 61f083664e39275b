"""results_csv(), results_json_lines(): rows for spreadsheets, and for programs with curves."""

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from swarm.search.study_ledger import StudyLedger
from swarm.search.trial import Trial, TrialResult

_COLUMNS = ("number", "model", "state", "value", "duration_s", "epochs", "peer", "error", "trial")


def results_csv(ledger: StudyLedger) -> str:
    """One line for each result, in order of trials; one column for each hyperparameter."""
    rows = _in_order(ledger)
    names = sorted({name for trial, _ in rows for name, _ in trial.params})
    target = io.StringIO(newline="")
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([*_COLUMNS, *(f"params.{name}" for name in names)])
    for trial, result in rows:
        row = _row(trial, result)
        values = (trial.values.get(name, "") for name in names)
        writer.writerow([*(_cell(row[column]) for column in _COLUMNS), *map(_cell, values)])
    return target.getvalue()


def results_json_lines(ledger: StudyLedger) -> str:
    """One JSON object for each result, with hyperparameters, fold values and curve."""
    lines = []
    for trial, result in _in_order(ledger):
        found = {
            "study": ledger.spec.name,
            "objective": ledger.spec.objective,
            **_row(trial, result),
            "params": trial.values,
            "fold_values": list(result.fold_values),
            "curve": [asdict(point) for point in result.curve],
        }
        lines.append(json.dumps(found, allow_nan=False) + "\n")
    return "".join(lines)


def _in_order(ledger: StudyLedger) -> list[tuple[Trial, TrialResult]]:
    """By number, then id: a study of two coordinators may have two trials of one number."""
    pairs = ((ledger.trials[result.trial], result) for result in ledger.results.values())
    return sorted(pairs, key=lambda pair: (pair[0].number, pair[0].id))


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
    """A cell that no spreadsheet takes for a formula: other peers wrote errors and names."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
