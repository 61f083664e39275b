"""Followers and takeovers: which peer coordinates next, and how it uses what others know."""

import pytest

from swarm.core.effects import (
    PeerUnreachable,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.search import messages
from swarm.search.effects import (
    RunTrial,
    Started,
    TrialFinished,
)
from swarm.search.search import Search
from swarm.search.study import StudySpec
from swarm.search.study_ledger import Asked, Closed, Recorded
from tests.search.conftest import ME, OTHER, THIRD, make_study
from tests.search.parts import (
    Coordinator,
    Worker,
    complete,
    heartbeat,
    leased_to,
    of,
    own_trial,
    published,
    sent,
    tick,
)


def test_missing_entries_before_a_page_are_requested(study: StudySpec) -> None:
    worker = Worker(study)
    entries = tuple(Asked(trial) for trial in worker.trials)
    page = messages.StudyLedgerPage(study.id, OTHER, 1, 5, entries, 8)

    effects = worker.search.handle(page, 0.5)

    assert [r.start for r in sent(messages.StudyLedgerRequest, effects)] == [0]
    assert not worker.search.ledger.trials


@pytest.mark.parametrize("event", [PeerUnreachable(OTHER), None])
def test_exactly_one_member_takes_over_from_a_lost_coordinator(event: Event | None) -> None:
    spec = make_study()
    standbys = [Worker(spec, me).search for me in (ME, THIRD)]
    coordinating: list[tuple[float, PeerId]] = []
    for place in range(40):
        now_s = 0.2 + place / 4
        for standby in standbys:
            effects = tick(standby, now_s)
            if event is not None and place == 0:
                effects += standby.handle(event, now_s)
            for claim in published(messages.CoordinatorHeartbeat, effects):
                coordinating.append((now_s, standby.me))
                for other in standbys:
                    other.handle(claim, now_s)

    took_over_s, successor = coordinating[0]
    assert {name for _, name in coordinating} == {successor}
    assert took_over_s < (1.0 if event is not None else 4.0)


def test_a_new_coordinator_waits_for_the_other_members_before_it_asks_for_trials(
    study: StudySpec,
) -> None:
    successor = _successor(study)
    search = successor.search
    assert search.coordinating is not None

    alone = [e for place in range(4) for e in tick(search, 0.6 + place / 10)]
    others = search.handle(heartbeat(study, THIRD, search), 1.0)

    assert not of(RunTrial, alone)
    assert of(RunTrial, others)


def test_a_new_coordinator_does_not_lease_trials_that_others_still_run(study: StudySpec) -> None:
    successor = _successor(study)
    search, trial = successor.search, successor.trials[0]
    missing = messages.MissingEntries(study.id, THIRD, search.coordinators.term, (Asked(trial),))

    effects = search.handle(missing, 0.9)
    effects += search.handle(heartbeat(study, THIRD, search, (trial.id,)), 1.0)
    effects += [e for place in range(20) for e in tick(search, 1.2 + place / 4)]

    assert trial not in [e.trial for e in of(RunTrial, effects)]
    assert trial not in leased_to(THIRD, effects)


def test_trials_that_no_worker_runs_are_leased_again(study: StudySpec) -> None:
    successor = Worker(study)
    successor.search.handle(
        messages.StudyLedgerPage(study.id, OTHER, 1, 0, (Asked(successor.trials[0]),), 1), 0.3
    )
    successor.search.coordinators.members = (ME, OTHER)

    effects = successor.search.handle(PeerUnreachable(OTHER), 0.5)

    assert successor.trials[0] in [e.trial for e in of(RunTrial, effects)]


def test_a_coordinator_that_hears_a_greater_term_steps_down_and_sends_its_entries(
    study: StudySpec,
) -> None:
    coordinator = Coordinator(study)
    claim = messages.CoordinatorHeartbeat(study.id, THIRD, 2, 0, 0, 1.0, (ME, THIRD), 0)

    effects = coordinator.search.handle(claim, 1.0)

    assert coordinator.search.coordinating is None
    (missing,) = sent(messages.MissingEntries, effects)
    assert len(missing.entries) == len(coordinator.search.ledger)
    (own,) = sent(messages.WorkerHeartbeat, effects)
    assert set(own.held) == {own_trial(coordinator.search, k).id for k in (0, 1)}


def test_a_term_that_leaps_too_far_is_not_believed(study: StudySpec) -> None:
    worker = Worker(study)

    worker.search.handle(worker.coordinator_heartbeat(THIRD, 2**50), 0.5)

    assert worker.search.coordinators.coordinator == OTHER


def test_after_a_restart_a_peer_waits_for_others_before_it_coordinates(study: StudySpec) -> None:
    before = Coordinator(study).search.ledger.entries
    search = Search(ME, study)
    search.handle(Started(1, tuple(before), term=1), 100.0)

    early = [tick(search, 100.0 + place / 4) for place in range(11)]
    late = [e for place in range(40) for e in tick(search, 103.0 + place / 4)]

    assert not [e for effects in early for e in published(messages.CoordinatorHeartbeat, effects)]
    assert published(messages.CoordinatorHeartbeat, late)[0].term == 2
    new = [e.trial for e in of(RunTrial, late)]
    next_ones = search.handle(TrialFinished(complete(new[0])), 120.0)
    assert [e.trial.number for e in of(RunTrial, next_ones)] == [0]


def test_a_peer_that_comes_back_to_a_study_that_is_over_serves_its_whole_ledger(
    study: StudySpec,
) -> None:
    trial = Worker(study).trials[0]
    entries = (Asked(trial), Recorded(complete(trial)), Closed("done", OTHER))
    search = Search(ME, study)
    search.handle(Started(1, entries, term=7), 0.0)

    (offer,) = sent(messages.StudyOffer, search.handle(messages.StudyQuery(THIRD), 1.0))
    (page,) = sent(
        messages.StudyLedgerPage,
        search.handle(messages.StudyLedgerRequest(study.id, THIRD, 0), 1.1),
    )
    looker = Search(THIRD, study)
    looker.handle(Started(0, term=offer.term, contact=ME, coordinator=offer.coordinator), 2.0)
    assert not looker.complete
    looker.handle(page, 2.1)

    assert looker.complete
    assert looker.ledger.checksum == search.ledger.checksum


def test_entries_that_a_stranger_sends_are_ignored(study: StudySpec) -> None:
    coordinator = Coordinator(study)
    (own,) = [t for t in coordinator.search.ledger.trials.values() if t.number == 0]
    forged = (Recorded(complete(own, 1.0, THIRD)),)

    coordinator.search.handle(messages.MissingEntries(study.id, THIRD, 1, forged), 1.0)

    assert not coordinator.search.ledger.results


def _successor(study: StudySpec) -> Worker:
    """A worker that has just taken over, with one other worker left."""
    successor = Worker(study)
    search = successor.search
    search.handle(PeerUnreachable(OTHER), 0.5)
    for place in range(8):
        if search.coordinating is None:
            tick(search, 0.5 + place / 4)
    return successor
