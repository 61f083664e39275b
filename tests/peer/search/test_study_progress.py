"""Lines that tell, in a log file, how far a study is."""

from typing import Any

import pytest

from swarm.peer.search.study_progress import StudyProgress, summary
from swarm.search.search import Search
from swarm.search.study_ledger import Asked, Recorded
from swarm.search.trial import COMPLETE, Trial, TrialResult
from swarm.search.values import make_params
from tests.peer.search.studies_run import ME, make_study


def told(capsys: pytest.CaptureFixture[str], num_results: int, **fields: Any) -> list[str]:
    """The lines of a study that has so many results, one a second."""
    machine = Search(ME, make_study({"knn": {"n_neighbors": {"integer": [1, 99]}}}, **fields))
    progress = StudyProgress(machine.spec, lambda: machine.elapsed_s)
    for number in range(num_results):
        params = make_params({"n_neighbors": number % 99 + 1})
        trial = Trial(machine.spec.id, number, "knn", params, 1, ME)
        machine.ledger.add(Asked(trial))
        machine.ledger.add(Recorded(TrialResult(trial.id, COMPLETE, 0.5, 1.0)))
        machine._elapsed_s = number + 1.0
        machine.coordinators.begin(0, machine._now_s)
        machine.coordinators.note_heard(ME, machine._now_s)
        progress.show(len(machine.ledger.results), summary(machine))
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("fields", "least"),
    [
        ({"num_trials": 100}, 10),
        ({"num_trials": 0, "time_budget_s": 100.0}, 10),
        ({"num_trials": 5000, "time_budget_s": 100.0}, 10),
        ({"num_trials": 0, "strategy": "grid"}, 8),
    ],
)
def test_some_lines_tell_of_a_whole_study(
    capsys: pytest.CaptureFixture[str], fields: dict[str, Any], least: int
) -> None:
    assert least <= len(told(capsys, 99, **fields)) <= 13
