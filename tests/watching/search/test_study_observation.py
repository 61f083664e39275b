"""Observation: which studies are found, followed and left, and what their views show."""

from typing import Any

import pytest

from swarm.core.effects import KeepConnected, PeerConnected, Publish, Send, Subscribe, Unsubscribe
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.search.messages import (
    CoordinatorHeartbeat,
    LeaveStudy,
    StudyLedgerPage,
    StudyLedgerRequest,
    StudyOffer,
    StudyQuery,
    WorkerHeartbeat,
)
from swarm.search.study import StudySpec
from swarm.search.study_ledger import Asked, Closed, Entry, Recorded, Reported, StudyLedger
from swarm.search.topics import SEARCH_TOPIC, study_topic
from swarm.search.trial import EpochPoint, Trial, TrialReport, TrialResult, failed
from swarm.watching.search import observation as study_observation_module
from swarm.watching.search.observation import StudyObservation, is_about_studies
from swarm.watching.search.study_counts import HISTORY_MAX, StudyCounts, StudyView
from tests.search.conftest import ME, OTHER, THIRD, make_study


def trials(spec: StudySpec, count: int = 6) -> list[Trial]:
    return [Trial(spec.id, k, "knn", (("n_neighbors", k + 1),), 1, OTHER) for k in range(count)]


def recorded(
    trial: Trial, value: float, peer: PeerId = OTHER, state: str = "complete"
) -> Recorded:
    return Recorded(TrialResult(trial.id, state, value, 0.1, peer=peer))


class Swarm:
    """A coordinator, as an observer hears it."""

    def __init__(self, spec: StudySpec, coordinator: PeerId = OTHER, term: int = 1) -> None:
        self.spec, self.coordinator, self.term = spec, coordinator, term
        self.ledger = StudyLedger(spec)

    def offer(self, *, closed: bool = False) -> StudyOffer:
        return StudyOffer(self.coordinator, self.spec, self.term, self.coordinator, closed)

    def page(self, *entries: Entry) -> StudyLedgerPage:
        start = len(self.ledger)
        for entry in entries:
            assert self.ledger.add(entry)
        return self.page_from(start)

    def page_from(self, start: int) -> StudyLedgerPage:
        entries = tuple(self.ledger.entries[start:])
        length = len(self.ledger)
        return StudyLedgerPage(self.spec.id, self.coordinator, self.term, start, entries, length)

    def heartbeat(self, *members: PeerId) -> CoordinatorHeartbeat:
        has = len(self.ledger), self.ledger.checksum
        return CoordinatorHeartbeat(
            self.spec.id, self.coordinator, self.term, *has, 1.0, members, 0
        )


def hear(study_observation: StudyObservation, *events: Event, at_s: float = 1.0) -> list[Effect]:
    return [effect for event in events for effect in study_observation.handle(event, at_s)]


def only(study_observation: StudyObservation) -> StudyView:
    (view,) = study_observation.views()
    return view


def sent(effects: list[Effect], kind: type[Event]) -> list[Any]:
    return [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, kind)]


def test_connected_peers_are_asked_at_once_and_then_in_turns() -> None:
    study_observation = StudyObservation(ME)
    started = study_observation.start(0.0)
    peers = [PeerId(f"peer {k}") for k in range(12)]

    first = hear(study_observation, *map(PeerConnected, peers))

    assert Subscribe(SEARCH_TOPIC) in started
    (timer,) = (effect for effect in started if isinstance(effect, SetTimer))
    assert first == [Send(peer, StudyQuery(ME)) for peer in peers]
    asked: set[PeerId] = set()
    for at_s in (5.0, 10.0):
        effects = hear(study_observation, TimerFired(timer.name), at_s=at_s)
        asked |= {effect.peer for effect in effects if isinstance(effect, Send)}
        assert len([effect for effect in effects if isinstance(effect, Send)]) == 8
        assert SetTimer(timer.name, at_s + 5.0) in effects
    assert asked == set(peers)


def test_a_study_that_is_offered_is_followed_without_slots(study: StudySpec) -> None:
    study_observation, swarm = StudyObservation(ME), Swarm(study)

    effects = hear(study_observation, swarm.offer())

    assert Subscribe(study_topic(study.id)) in effects
    assert sent(effects, StudyLedgerRequest) == [StudyLedgerRequest(study.id, ME, 0)]
    (timer,) = (effect for effect in effects if isinstance(effect, SetTimer))
    assert is_about_studies(TimerFired(timer.name))
    (heartbeat,) = sent(hear(study_observation, TimerFired(timer.name), at_s=2.0), WorkerHeartbeat)
    assert (heartbeat.slots, heartbeat.coordinates, heartbeat.held) == (0, False, ())
    assert not only(study_observation).complete
    assert hear(study_observation, swarm.offer()) == []


def test_a_view_shows_what_the_ledger_says(study: StudySpec) -> None:
    study_observation, swarm = StudyObservation(ME), Swarm(study)
    zero, one, two, three, four, five = trials(study)
    point = EpochPoint(1, 0.5)

    hear(
        study_observation,
        swarm.offer(),
        swarm.page(*map(Asked, (zero, one, two, three, four, five))),
        swarm.page(
            recorded(zero, 0.7),
            recorded(one, 0.9, THIRD),
            recorded(two, 0.95, THIRD, "pruned"),
            Recorded(failed(three.id, "no luck", 0.1, THIRD)),
            Reported(TrialReport(four.id, point, peer=THIRD)),
        ),
        swarm.heartbeat(OTHER, THIRD),
    )

    view = only(study_observation)
    assert view.complete
    assert (view.num_trials, view.num_running, view.num_done, view.num_failed) == (12, 2, 3, 1)
    assert view.best is not None
    assert view.best[0] == one  # a pruned trial is never the best
    assert [(t.number, t.state, t.value, t.peer) for t in view.history] == [
        (0, "complete", 0.7, OTHER),
        (1, "complete", 0.9, THIRD),
        (2, "pruned", 0.95, THIRD),
        (3, "failed", None, THIRD),
        (4, "running", None, THIRD),
        (5, "running", None, None),
    ]
    workers = {w.peer: (w.trial, w.num_done) for w in view.workers}
    assert workers == {OTHER: (None, 1), THIRD: (4, 3)}


def test_a_view_stays_the_same_object_while_nothing_changes(study: StudySpec) -> None:
    study_observation, swarm = StudyObservation(ME), Swarm(study)
    hear(
        study_observation,
        swarm.offer(),
        swarm.page(Asked(trials(study)[0])),
        swarm.heartbeat(OTHER),
    )
    version, view = study_observation.version, only(study_observation)

    hear(study_observation, swarm.heartbeat(OTHER), swarm.page_from(0), swarm.offer())

    assert study_observation.version == version
    assert only(study_observation) is view
    hear(study_observation, swarm.page(recorded(trials(study)[0], 0.5)))
    assert study_observation.version > version
    assert only(study_observation).num_done == 1


def test_a_study_that_is_over_is_left_and_stays_in_view(study: StudySpec) -> None:
    study_observation, swarm = StudyObservation(ME), Swarm(study)
    trial = trials(study)[0]
    hear(study_observation, swarm.offer(), swarm.page(Asked(trial)), swarm.heartbeat(OTHER))

    effects = hear(study_observation, swarm.page(recorded(trial, 0.5), Closed("done", OTHER)))

    assert Unsubscribe(study_topic(study.id)) in effects
    assert Publish(study_topic(study.id), LeaveStudy(study.id, ME)) in effects
    view = only(study_observation)
    assert (view.closed, view.complete) == ("done", True)
    assert (view.num_done, view.num_trials) == (1, 1)  # its strategy had no more
    assert hear(study_observation, swarm.offer(closed=True), swarm.heartbeat(OTHER)) == []
    assert only(study_observation) is view


def test_a_study_that_was_over_before_is_read_from_any_peer_that_has_it(study: StudySpec) -> None:
    study_observation, swarm = StudyObservation(ME), Swarm(study, THIRD)
    trial = trials(study)[0]
    page = swarm.page(Asked(trial), recorded(trial, 0.5), Closed("cancelled", OTHER))

    hear(study_observation, swarm.offer(closed=True), page)

    assert only(study_observation).closed == "cancelled"
    assert only(study_observation).complete


def test_the_end_is_read_from_another_peer_if_the_coordinator_is_gone(study: StudySpec) -> None:
    study_observation, swarm, other = (
        StudyObservation(ME),
        Swarm(study, THIRD),
        Swarm(study, OTHER),
    )
    trial = trials(study)[0]
    hear(study_observation, swarm.offer(), swarm.page(Asked(trial)), swarm.heartbeat(THIRD))
    rest = other.page(Asked(trial), recorded(trial, 0.5), Closed("done", THIRD))

    hear(study_observation, other.offer(closed=True), rest, at_s=2.0)
    assert only(study_observation).closed == ""  # the coordinator was heard just now

    hear(study_observation, other.offer(closed=True), rest, at_s=60.0)
    assert (only(study_observation).closed, only(study_observation).num_done) == ("done", 1)


def test_a_new_coordinator_s_result_replaces_the_old_one(study: StudySpec) -> None:
    study_observation, swarm, newer = (
        StudyObservation(ME),
        Swarm(study),
        Swarm(study, THIRD, term=2),
    )
    zero, one = trials(study)[:2]
    page = swarm.page(Asked(zero), Asked(one), recorded(zero, 0.9), recorded(one, 0.5))
    hear(study_observation, swarm.offer(), page, swarm.heartbeat(OTHER))
    page = newer.page(
        Asked(zero), Asked(one), recorded(zero, 0.3, THIRD), recorded(one, 0.5, state="pruned")
    )

    hear(study_observation, newer.heartbeat(THIRD), page)

    view = only(study_observation)
    assert (view.num_done, view.num_running) == (2, 0)
    assert view.best == (zero, newer.ledger.results[zero.id])
    assert [(trial.value, trial.state) for trial in view.history] == [
        (0.3, "complete"),
        (0.5, "pruned"),
    ]
    assert {w.peer: w.num_done for w in view.workers} == {THIRD: 1, OTHER: 1}


def test_pages_of_other_peers_than_the_coordinator_are_ignored(study: StudySpec) -> None:
    study_observation, swarm, liar = StudyObservation(ME), Swarm(study), Swarm(study, THIRD)
    hear(study_observation, swarm.offer())

    hear(study_observation, liar.page(Asked(trials(study)[0])))

    assert only(study_observation).history == ()


def test_studies_that_are_over_or_silent_make_room_and_others_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(study_observation_module, "STUDIES_MAX", 2)
    study_observation = StudyObservation(ME)
    first, second, third, fourth = (Swarm(make_study(seed=k)) for k in range(4))
    hear(study_observation, first.offer(), second.offer(), third.offer())
    assert [view.spec for view in study_observation.views()] == [first.spec, second.spec]

    hear(study_observation, second.page(Closed("done", OTHER)), third.offer(), second.offer())
    assert [view.spec for view in study_observation.views()] == [first.spec, third.spec]

    effects = hear(study_observation, fourth.offer(), at_s=200.0)
    assert [view.spec for view in study_observation.views()] == [third.spec, fourth.spec]
    assert Unsubscribe(study_topic(first.spec.id)) in effects


def test_the_longest_ledger_is_given_up_when_all_take_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(study_observation_module, "ENTRIES_MAX", 5)
    study_observation = StudyObservation(ME)
    short, long = Swarm(make_study(seed=1)), Swarm(make_study(seed=2))
    hear(study_observation, short.offer(), long.offer())
    hear(study_observation, short.page(*map(Asked, trials(short.spec, 2))), short.heartbeat(OTHER))

    effects = hear(
        study_observation, long.page(*map(Asked, trials(long.spec, 4))), long.heartbeat(OTHER)
    )

    views = study_observation.views()
    assert [(view.num_running, view.complete) for view in views] == [(2, True), (4, False)]
    assert Unsubscribe(study_topic(long.spec.id)) in effects
    hear(study_observation, short.page(recorded(trials(short.spec)[0], 0.5)))
    assert study_observation.views()[0].num_done == 1


def test_only_the_newest_trials_are_shown_one_by_one(study: StudySpec) -> None:
    ledger = StudyLedger(study, map(Asked, trials(study, HISTORY_MAX + 10)))

    view = StudyCounts(ledger).view((), complete=True)

    assert [trial.number for trial in view.history] == list(range(10, HISTORY_MAX + 10))
    assert view.num_running == view.num_trials == HISTORY_MAX + 10


def test_connections_are_kept_with_the_coordinator_and_the_members(study: StudySpec) -> None:
    study_observation, swarm = StudyObservation(ME), Swarm(study, THIRD, term=2)
    hear(study_observation, Swarm(study).offer())

    effects = hear(study_observation, swarm.heartbeat(OTHER, THIRD))

    assert [e for e in effects if isinstance(e, KeepConnected)] == [KeepConnected((THIRD, OTHER))]
    ended = hear(study_observation, swarm.page(Closed("done", THIRD)))
    assert KeepConnected(()) in ended
