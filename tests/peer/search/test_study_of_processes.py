"""Studies of real processes over real sockets, some of which are killed."""

from pathlib import Path
from typing import Any

import pytest

from swarm.search.study_ledger import StudyLedger
from tests.harness.search_processes import SearchProcess, SearchProcesses

pytestmark = [pytest.mark.slow, pytest.mark.network]

READY_WITHIN_S = 120.0
OVER_WITHIN_S = 180.0
STUDY: dict[str, Any] = {
    "name": "processes",
    "dataset": "wine",
    "num_trials": 80,
    "seed": 3,
    "heartbeat_s": 1.0,
    "models": {"logreg": {"C": {"float": [0.01, 100.0], "log": True}}},
}


@pytest.fixture
def swarm(tmp_path: Path) -> Any:
    with SearchProcesses(tmp_path) as swarm:
        yield swarm


def start_study(swarm: SearchProcesses, num_workers: int, **fields: Any) -> SearchProcess:
    """A coordinator and workers that all take part."""
    coordinator = swarm.start("run", str(swarm.write_study({**STUDY, **fields})))
    workers = [swarm.start("worker") for _ in range(num_workers)]
    swarm.wait(lambda: all(w.num_results > 0 for w in workers), "all take part", READY_WITHIN_S)
    return coordinator


def check_complete(ledger: StudyLedger | None, num_trials: int) -> None:
    assert ledger is not None
    assert ledger.closed is not None
    assert ledger.closed.reason == "done"
    assert sorted(ledger.trials[trial].number for trial in ledger.results) == list(
        range(num_trials)
    )
    assert {result.state for result in ledger.results.values()} == {"complete"}


def test_a_killed_worker_costs_its_leases_and_no_result(swarm: SearchProcesses) -> None:
    coordinator = start_study(swarm, 2, num_trials=160)
    victim, survivor = swarm.peers[1:]
    swarm.wait(lambda: coordinator.num_results >= 30, "30 results", READY_WITHIN_S)

    victim.kill()

    swarm.wait(lambda: survivor.is_over, "the study is over", OVER_WITHIN_S)
    assert coordinator.process.wait(20) == 0
    check_complete(coordinator.ledger, 160)
    check_complete(survivor.ledger, 160)
    ours, theirs = coordinator.ledger, survivor.ledger
    assert ours is not None
    assert theirs is not None
    assert ours.checksum == theirs.checksum
    assert survivor.interrupt() == 0


def test_half_of_the_swarm_dies_the_coordinator_among_them_and_the_others_finish(
    swarm: SearchProcesses,
) -> None:
    coordinator = start_study(swarm, 3, num_trials=160)
    victim, *survivors = swarm.peers[1:]
    swarm.wait(lambda: survivors[0].num_results >= 30, "30 results", READY_WITHIN_S)

    coordinator.kill()
    victim.kill()

    swarm.wait(lambda: all(p.is_over for p in survivors), "the study is over", OVER_WITHIN_S)
    for survivor in survivors:
        check_complete(survivor.ledger, 160)
    # A peer that comes back gets all that happened meanwhile.
    assert coordinator.folder is not None
    back = swarm.start("resume", str(coordinator.folder), name="back")
    assert back.process.wait(READY_WITHIN_S) == 0
    theirs = coordinator.ledger
    assert theirs is not None
    ours = survivors[0].ledger
    assert ours is not None
    assert ours.results.keys() <= theirs.results.keys()


def test_a_study_that_was_left_by_all_is_resumed_where_it_was(swarm: SearchProcesses) -> None:
    first = swarm.start("run", str(swarm.write_study({**STUDY, "num_trials": 200})))
    swarm.wait(lambda: first.num_results >= 20, "20 results", READY_WITHIN_S)
    first.kill()
    before = first.ledger
    assert before is not None
    assert first.folder is not None

    second = swarm.start("resume", str(first.folder), name="again")

    assert second.process.wait(OVER_WITHIN_S) == 0
    check_complete(first.ledger, 200)
    after = first.ledger
    assert after is not None
    assert all(after.results[trial] == result for trial, result in before.results.items())


def test_a_user_who_interrupts_a_study_sees_how_to_resume_it(swarm: SearchProcesses) -> None:
    study = swarm.start("run", str(swarm.write_study({**STUDY, "num_trials": 5000})))
    swarm.wait(lambda: study.num_results >= 3, "3 results", READY_WITHIN_S)

    assert study.interrupt() == 130

    said = study.log.read_text()
    assert "Left with " in said
    assert f"Resume with: python -m swarm.search resume {study.folder}" in said


def test_a_dead_peer_s_keras_trial_goes_on_from_its_checkpoint(swarm: SearchProcesses) -> None:
    epochs = 150
    coordinator = start_keras(swarm, epochs)
    victim = swarm.start("worker")
    swarm.wait(lambda: has_checkpoint_of_others(coordinator), "a checkpoint came", OVER_WITHIN_S)

    victim.kill()

    swarm.wait(lambda: coordinator.is_over, "the study is over", OVER_WITHIN_S)
    check_complete(coordinator.ledger, 2)
    resumed = [e for e in coordinator.events() if e["event"] == "resumed from a checkpoint"]
    assert resumed
    assert resumed[0]["epoch"] >= 1
    ledger = coordinator.ledger
    assert ledger is not None
    for result in ledger.results.values():
        assert [point.epoch for point in result.curve] == list(range(1, epochs + 1))


def start_keras(swarm: SearchProcesses, epochs: int) -> SearchProcess:
    study = {
        **STUDY,
        "dataset": "digits",
        "examples_max": 600,
        "num_trials": 2,
        "folds": 1,
        "epochs_max": epochs,
        "models": {"keras-mlp": {"learning_rate": [0.01, 0.02, 0.03]}},
    }
    return swarm.start("run", str(swarm.write_study(study)))


def has_checkpoint_of_others(coordinator: SearchProcess) -> bool:
    """Whether it was given a checkpoint of another peer's trial that is not over.

    A report comes first, and the checkpoint it names is fetched after it.
    """
    ledger = coordinator.ledger
    if ledger is None:
        return False
    open_trials = [ledger.reports.get(trial.id, {}) for trial in ledger.open_trials]
    reports = [report for by_epoch in open_trials for report in by_epoch.values()]
    coordinators = {trial.coordinator for trial in ledger.trials.values()}
    stored = {path.name for path in (coordinator.state / "blobs").glob("*/*")}
    return any(
        report.checkpoint is not None and report.checkpoint.digest in stored
        for report in reports
        if report.peer not in coordinators
    )


def test_a_crashing_trial_is_recorded_with_its_error_and_the_worker_goes_on(
    swarm: SearchProcesses,
) -> None:
    models = {"svm": {"kernel": ["linear", "rbf"], "C": [1.0, 2.0]}}
    coordinator = swarm.start(
        "run",
        str(
            swarm.write_study(
                {
                    **STUDY,
                    "num_trials": 4,
                    "trial_limit_s": 0.1,
                    "models": models,
                    "dataset": "breast_cancer",
                }
            )
        ),
    )

    code = coordinator.process.wait(OVER_WITHIN_S)

    ledger = coordinator.ledger
    assert ledger is not None
    states = {result.state for result in ledger.results.values()}
    assert code == (1 if states == {"failed"} else 0)  # a slow machine finishes none
    assert len(ledger.results) == 4
    assert states <= {"complete", "failed"}
    for result in ledger.results.values():
        assert (result.state == "failed") == ("limit" in result.error)
