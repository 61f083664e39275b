"""Runs whole studies in this process, for tests that look at what they leave."""

from typing import Any

from swarm.core.ids import PeerId
from swarm.learning.search.study_tasks import point_of, report_of, result_of, task_of
from swarm.learning.search.trial_records import EpochReport
from swarm.learning.search.trial_runner import run_trial
from swarm.search.strategies import make_strategy
from swarm.search.study import StudySpec
from swarm.search.study_file import parse_study
from swarm.search.study_ledger import Asked, Entry, Recorded, Reported, StudyLedger
from swarm.search.trial import Trial

ME = PeerId("12D3me")


def make_study(models: dict[str, Any], **fields: Any) -> StudySpec:
    """A study of iris unless the fields say otherwise."""
    document = {"name": "flowers", "dataset": "iris", "num_trials": 12, "folds": 2, "seed": 3}
    return parse_study({**document, "models": models, **fields}, ME)


def run_study(spec: StudySpec) -> StudyLedger:
    """Ask, run and record one trial after the other."""
    ledger = StudyLedger(spec)
    strategy = make_strategy(spec)

    def add(entry: Entry) -> None:
        if ledger.add(entry):
            strategy.tell(entry)

    for number in range(spec.num_trials):
        suggested = strategy.ask(ledger)
        if suggested is None:
            break
        trial = Trial(spec.id, number, suggested.model, suggested.params, 0, ME)
        add(Asked(trial))
        reports: list[EpochReport] = []

        def on_report(
            report: EpochReport, trial: Trial = trial, reports: list[EpochReport] = reports
        ) -> None:
            reports.append(report)
            add(Reported(report_of(trial, report)))

        outcome = run_trial(task_of(spec, trial), on_report)
        add(Recorded(result_of(trial, outcome, map(point_of, reports))))
    return ledger
