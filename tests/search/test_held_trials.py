"""Effects of a worker: trials run, reported and dropped; checkpoints and data fetched."""

from dataclasses import replace

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    FetchBlob,
)
from swarm.core.machine import Event, TimerFired
from swarm.search import messages
from swarm.search.effects import (
    DropTrial,
    PruneTrial,
    RunTrial,
    Started,
    TrialFinished,
    TrialReported,
)
from swarm.search.search import Search
from swarm.search.study import StudySpec
from swarm.search.study_ledger import Asked, Closed, Recorded
from swarm.search.trial import EpochPoint, Trial, TrialReport
from tests.search.conftest import ME, OTHER, THIRD, make_study
from tests.search.parts import (
    CHECKPOINT,
    Worker,
    complete,
    of,
    sent,
    tick,
)


def test_a_lease_is_run_and_held_until_its_result_is_in_the_ledger(study: StudySpec) -> None:
    worker = Worker(study)
    trial = worker.trials[0]

    assert of(RunTrial, worker.search.handle(worker.leases(trial), 0.2)) == [RunTrial(trial)]
    told = worker.search.handle(TrialFinished(complete(trial)), 1.0)
    again = tick(worker.search, 3.1)

    assert [n.results for n in sent(messages.WorkerNews, told)] == [(complete(trial),)]
    assert [n.results for n in sent(messages.WorkerNews, again)] == [(complete(trial),)]
    assert worker.search.held == (trial.id,)
    page = messages.StudyLedgerPage(
        study.id, OTHER, 1, 0, (Asked(trial), Recorded(complete(trial))), 2
    )
    worker.search.handle(page, 3.2)
    assert worker.search.held == ()


def test_leases_pages_and_stops_of_other_peers_than_the_coordinator_are_ignored(
    study: StudySpec,
) -> None:
    worker = Worker(study)
    trial = worker.trials[0]
    worker.search.handle(worker.leases(trial), 0.2)
    forged: list[Event] = [
        worker.leases(worker.trials[1], sender=THIRD),
        messages.StudyLedgerPage(study.id, THIRD, 1, 0, (Asked(trial), Closed("done", THIRD)), 2),
        messages.StopTrials(study.id, THIRD, 1, (trial.id,)),
        replace(worker.leases(worker.trials[1]), term=0),
    ]

    effects = [e for message in forged for e in worker.search.handle(message, 0.3)]

    assert not of(RunTrial, effects)
    assert not of(PruneTrial, effects)
    assert not worker.search.closed


def test_messages_of_another_study_are_ignored(study: StudySpec) -> None:
    worker = Worker(study)
    other = make_study(seed=9)
    foreign = Trial(other.id, 0, "knn", (), 1, OTHER)

    assert worker.search.handle(replace(worker.leases(foreign), study=other.id), 0.2) == []
    assert not of(RunTrial, worker.search.handle(worker.leases(foreign), 0.3))


def test_results_share_a_message_while_one_was_just_sent(study: StudySpec) -> None:
    worker = Worker(study)
    more = [Trial(study.id, k, "knn", (("k", k),), 1, OTHER) for k in range(3, 6)]
    worker.search.handle(worker.leases(*worker.trials, *more), 0.2)
    told = [
        sent(messages.WorkerNews, worker.search.handle(TrialFinished(complete(trial)), now_s))
        for trial, now_s in zip(worker.trials, (1.0, 1.02, 1.04), strict=True)
    ]

    later = worker.search.handle(TimerFired("batch"), 1.2)

    assert [len(messages) for messages in told] == [1, 0, 0]
    assert [len(news.results) for news in sent(messages.WorkerNews, later)] == [2]


def test_a_worker_with_an_empty_queue_sends_its_results_at_once(study: StudySpec) -> None:
    worker = Worker(study)
    worker.search.handle(worker.leases(*worker.trials[:2]), 0.2)

    told = [
        sent(messages.WorkerNews, worker.search.handle(TrialFinished(complete(trial)), now_s))
        for trial, now_s in zip(worker.trials[:2], (1.0, 1.03), strict=True)
    ]

    assert [len(messages) for messages in told] == [1, 1]


def test_a_trial_that_another_worker_finished_is_dropped(study: StudySpec) -> None:
    worker = Worker(study)
    trial = worker.trials[0]
    worker.search.handle(worker.leases(trial), 0.2)
    entries = (Asked(trial), Recorded(complete(trial, peer=THIRD)))

    effects = worker.search.handle(
        messages.StudyLedgerPage(study.id, OTHER, 1, 0, entries, 2), 0.5
    )

    assert of(DropTrial, effects) == [DropTrial(trial.id)]


def test_a_checkpoint_is_fetched_before_its_trial_resumes(study: StudySpec) -> None:
    worker = Worker(study)
    trial = worker.trials[0]

    asked = worker.search.handle(
        worker.leases(trial, checkpoint=CHECKPOINT, holders=(THIRD,)), 0.2
    )
    arrived = worker.search.handle(BlobArrived(CHECKPOINT), 0.4)

    assert [(e.blob, e.holders) for e in of(FetchBlob, asked)] == [(CHECKPOINT, (THIRD,))]
    assert not of(RunTrial, asked)
    assert of(RunTrial, arrived) == [RunTrial(trial, CHECKPOINT)]


def test_without_its_checkpoint_a_trial_starts_from_the_beginning(study: StudySpec) -> None:
    worker = Worker(study)
    trial = worker.trials[0]
    worker.search.handle(worker.leases(trial, checkpoint=CHECKPOINT, holders=(THIRD,)), 0.2)

    effects = worker.search.handle(BlobMissing(CHECKPOINT, "gone"), 0.4)

    assert of(RunTrial, effects) == [RunTrial(trial)]


def test_reports_name_the_peer_that_executes_the_trial(study: StudySpec) -> None:
    worker = Worker(study)
    trial = worker.trials[0]
    worker.search.handle(worker.leases(trial), 0.2)
    report = TrialReport(trial.id, EpochPoint(1, 0.5))

    effects = worker.search.handle(TrialReported(report), 1.0)

    assert [n.reports for n in sent(messages.WorkerNews, effects)] == [(replace(report, peer=ME),)]


def test_a_peer_without_the_study_s_data_fetches_it_and_offers_no_slots_until_then() -> None:
    data = BlobRef(sha256_hex(b"data"), 4)
    spec = replace(make_study(), dataset="file", data=data, data_format="npz")
    worker = Search(ME, spec)

    started = worker.handle(Started(1, term=1, contact=OTHER, coordinator=OTHER), 0.0)
    without = worker.handle(TimerFired("tick"), 1.0)
    with_it = worker.handle(BlobArrived(data), 1.5)

    assert [e.blob for e in of(FetchBlob, started)] == [data]
    assert [b.slots for b in sent(messages.WorkerHeartbeat, [*without, *with_it])] == [0, 1]
