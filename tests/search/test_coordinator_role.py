"""Effects of a coordinator: trials leased, taken back, recorded; the end of a study."""

from collections.abc import Sequence
from dataclasses import replace

from swarm.core.effects import (
    PeerUnreachable,
    Send,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, SetTimer, TimerFired
from swarm.search import messages
from swarm.search.effects import (
    CancelRequested,
    Note,
    RunTrial,
    SaveEntries,
    SaveTerm,
    Started,
    TrialFinished,
)
from swarm.search.search import Search
from swarm.search.study import StudySpec
from swarm.search.study_ledger import Closed, Lost, Recorded
from swarm.search.trial import EpochPoint, Trial, TrialReport
from swarm.search.trial_supply import ASKS_TOGETHER
from tests.search.conftest import ME, OTHER, THIRD, make_study
from tests.search.parts import (
    Coordinator,
    complete,
    heartbeat,
    leased_to,
    of,
    own_trial,
    published,
    sent,
    tick,
)


def test_the_submitter_coordinates_and_works_at_once(study: StudySpec) -> None:
    effects = Coordinator(study).started

    assert [e.trial.number for e in of(RunTrial, effects)] == [0, 1]
    assert len(published(messages.CoordinatorHeartbeat, effects)) == 1
    assert len(published(messages.StudyOffer, effects)) == 1
    assert of(SaveTerm, effects) == [SaveTerm(1)]


def test_a_worker_is_leased_one_trial_to_run_and_one_to_wait(study: StudySpec) -> None:
    assert [trial.number for trial in Coordinator(study).leased] == [2, 3]


def test_leases_of_a_slow_strategy_share_messages() -> None:
    spec = make_study(strategy="bayesian", num_trials=200)
    search = Search(ME, spec)
    search.handle(Started(1, submits=True), 0.0)
    search.handle(heartbeat(spec, OTHER, search), 0.1)
    first = _asked(search, 10)

    results = tuple(
        replace(complete(trial, peer=OTHER), duration_s=0.01) for trial in first[0] + first[1]
    )
    search.handle(messages.WorkerNews(spec.id, OTHER, (), results), 0.5)
    later = _asked(search, 80)

    assert [len(trials) for trials in first] == [1, 1]
    assert [len(trials) for trials in later] == [2, 8, 8, 8, 6]
    leased = [trial.id for trials in first + later for trial in trials]
    assert len(leased) == len(set(leased))


def test_a_slow_strategy_is_asked_again_before_a_distant_worker_has_nothing_left() -> None:
    spec = make_study(strategy="bayesian", num_trials=40)
    search = Search(ME, spec)
    search.handle(Started(1, submits=True), 0.0)
    search.handle(heartbeat(spec, OTHER, search), 0.1)

    def finish(*trials: Trial) -> list[int]:
        """Send results of long trials; return the number of leases in each message."""
        results = tuple(replace(complete(t, peer=OTHER), duration_s=0.1) for t in trials)
        effects = search.handle(messages.WorkerNews(spec.id, OTHER, (), results), 0.5)
        leases = _leased(effects)
        while "ask" in [timer.name for timer in of(SetTimer, effects)]:
            effects = search.handle(TimerFired("ask"), 0.5)
            leases += _leased(effects)
        leased.extend(trial for trials in leases for trial in trials)
        return [len(trials) for trials in leases]

    leased = [trial for trials in _asked(search, 10) for trial in trials]
    finish(*leased)
    held = leased[2:]  # six: the number that a turnaround takes
    assert len(held) == 6
    assert [finish(trial) for trial in held[:4]] == [[], [], [], [4]]
    for _ in range(20):
        finish(*[trial for trial in leased if trial.id not in search.ledger.results])
    assert len(search.ledger.trials) == 40
    assert {trial.id for trial in leased} == search.ledger.trials.keys() - set(search.held)


def test_a_peer_that_stepped_down_while_asking_asks_again_when_it_coordinates_again() -> None:
    spec = make_study(strategy="bayesian", num_trials=200)
    search = Search(ME, spec)
    effects = search.handle(Started(1, submits=True), 0.0)
    assert "ask" in [timer.name for timer in of(SetTimer, effects)]

    search.handle(messages.CoordinatorHeartbeat(spec.id, THIRD, 2, 0, 0, 0.0, (), 0), 0.1)
    assert search.coordinating is None
    search.handle(TimerFired("ask"), 0.1)
    search.handle(PeerUnreachable(THIRD), 0.2)
    effects = _until_it_coordinates(search)

    assert "ask" in [timer.name for timer in of(SetTimer, effects)]


def test_a_slow_strategy_is_asked_for_several_trials_unless_a_worker_needs_one() -> None:
    spec = make_study(strategy="bayesian", num_trials=200)
    search = Search(ME, spec)
    search.handle(Started(0, submits=True), 0.0)
    search.handle(heartbeat(spec, OTHER, search), 0.1)

    def finish(*trials: Trial) -> bool:
        """Send results; return whether the strategy is asked next."""
        results = tuple(replace(complete(t, peer=OTHER), duration_s=0.01) for t in trials)
        effects = search.handle(messages.WorkerNews(spec.id, OTHER, (), results), 0.5)
        return "ask" in [timer.name for timer in of(SetTimer, effects)]

    first = [trial for trials in _asked(search, 10) for trial in trials]
    assert finish(first[0])
    leased = [trial for trials in _asked(search, 80) for trial in trials]
    assert [finish(trial) for trial in leased[: ASKS_TOGETHER - 1]] == [False] * (
        ASKS_TOGETHER - 1
    )
    assert finish(leased[ASKS_TOGETHER])


def _asked(search: Search, times: int) -> list[list[Trial]]:
    """Trials of each message of leases while a slow strategy is asked this many times."""
    found: list[list[Trial]] = []
    for _ in range(times):
        found += _leased(search.handle(TimerFired("ask"), 0.5))
    return found


def _until_it_coordinates(search: Search) -> list[Effect]:
    """Effects of ticks until trials can be asked for."""
    effects: list[Effect] = []
    for tenths in range(200):
        effects += search.handle(TimerFired("tick"), 0.3 + tenths / 10)
    assert search.coordinating is not None
    return effects


def _leased(effects: Sequence[Effect]) -> list[list[Trial]]:
    """Trials in each message of leases."""
    return [[lease.trial for lease in leases.leases] for leases in sent(messages.Leases, effects)]


def test_entries_are_saved_before_anything_is_sent(study: StudySpec) -> None:
    coordinator = Coordinator(study)

    effects = coordinator.search.handle(
        coordinator.news((complete(coordinator.leased[0], peer=OTHER),)), 0.5
    )

    saved = [e for effect in of(SaveEntries, effects) for e in effect.entries]
    assert Recorded(complete(coordinator.leased[0], peer=OTHER)) in saved
    first_send = next(place for place, e in enumerate(effects) if isinstance(e, Send))
    assert all(effects.index(effect) < first_send for effect in of(SaveEntries, effects))


def test_the_first_result_wins_and_a_second_one_changes_nothing(study: StudySpec) -> None:
    coordinator = Coordinator(study)
    trial = coordinator.leased[0]
    coordinator.search.handle(coordinator.news((complete(trial, 0.5, OTHER),)), 0.5)

    effects = coordinator.search.handle(coordinator.news((complete(trial, 0.9, OTHER),)), 0.6)

    assert coordinator.search.ledger.results[trial.id].value == 0.5
    assert not of(SaveEntries, effects)


def test_a_result_of_a_trial_leased_to_another_worker_is_ignored(study: StudySpec) -> None:
    coordinator = Coordinator(study)
    (own,) = [t for t in coordinator.search.ledger.trials.values() if t.number == 0]

    coordinator.search.handle(coordinator.news((complete(own, 1.0, OTHER),)), 0.5)

    assert not coordinator.search.ledger.results


def test_after_three_missed_heartbeats_the_trials_are_leased_again_before_all_others(
    study: StudySpec,
) -> None:
    coordinator = Coordinator(study)
    search = coordinator.search
    search.handle(heartbeat(study, OTHER, search, tuple(t.id for t in coordinator.leased)), 0.5)
    search.handle(heartbeat(study, THIRD, search), 3.0)

    assert not [t for t in leased_to(THIRD, tick(search, 3.9)) if t in coordinator.leased]
    effects = tick(search, 4.1)

    own = search.handle(TrialFinished(complete(own_trial(search, 0))), 4.2)
    running = [e.trial for e in of(RunTrial, [*effects, *own])]
    leased = [*leased_to(THIRD, [*effects, *own]), *running]
    assert coordinator.leased[0] in leased
    assert leased.index(coordinator.leased[0]) == 0


def test_a_worker_that_cannot_be_reached_loses_its_trials_at_once(study: StudySpec) -> None:
    coordinator = Coordinator(study)

    coordinator.search.handle(PeerUnreachable(OTHER), 0.5)
    effects = coordinator.search.handle(
        TrialFinished(complete(own_trial(coordinator.search, 0))), 0.6
    )

    assert [e.trial for e in of(RunTrial, effects)] == [coordinator.leased[0]]


def test_a_lease_that_never_arrived_is_sent_again(study: StudySpec) -> None:
    coordinator = Coordinator(study)
    coordinator.search.handle(heartbeat(study, OTHER, coordinator.search), 2.5)

    effects = tick(coordinator.search, 2.7)

    assert leased_to(OTHER, effects) == coordinator.leased


def test_a_confirmed_trial_missing_from_two_heartbeats_is_leased_again(study: StudySpec) -> None:
    coordinator = Coordinator(study)
    search = coordinator.search
    search.handle(heartbeat(study, OTHER, search, tuple(t.id for t in coordinator.leased)), 1.0)

    search.handle(heartbeat(study, OTHER, search, (coordinator.leased[1].id,)), 2.0)
    effects = search.handle(heartbeat(study, OTHER, search, (coordinator.leased[1].id,)), 3.0)

    (lease,) = [item for m in sent(messages.Leases, effects) for item in m.leases]
    assert (lease.trial, lease.attempt) == (coordinator.leased[0], 1)


def test_a_trial_that_is_lost_with_five_workers_fails(study: StudySpec) -> None:
    coordinator = Coordinator(make_study(num_trials=3), slots=0)
    search, trial = coordinator.search, coordinator.leased[0]
    for k in range(5):
        search.handle(PeerUnreachable(PeerId(f"victim {k}") if k else OTHER), k + 0.5)
        search.handle(heartbeat(search.spec, PeerId(f"victim {k + 1}"), search), k + 0.6)

    result = search.ledger.results[trial.id]
    assert result.state == "failed"
    assert "lost with 5 workers" in result.error


def test_trials_that_waited_behind_a_poison_trial_are_not_given_up() -> None:
    spec = make_study(num_trials=3)
    coordinator = Coordinator(spec, slots=0)
    search, (poison_trial, waited) = coordinator.search, coordinator.leased
    for k in range(5):
        search.handle(PeerUnreachable(PeerId(f"victim {k}") if k else OTHER), k + 0.5)
        effects = search.handle(heartbeat(spec, PeerId(f"victim {k + 1}"), search), k + 0.6)

    assert search.ledger.results.keys() == {poison_trial.id}
    (first,) = [item for m in sent(messages.Leases, effects) for item in m.leases]
    assert (first.trial, first.attempt) == (waited, 5)


def test_a_worker_that_says_goodbye_counts_no_losses() -> None:
    spec = make_study(num_trials=3)
    coordinator = Coordinator(spec, slots=0)
    search = coordinator.search
    for k in range(6):
        name = PeerId(f"leaver {k}") if k else OTHER
        search.handle(messages.LeaveStudy(spec.id, name), k + 0.5)
        effects = search.handle(heartbeat(spec, PeerId(f"leaver {k + 1}"), search), k + 0.6)

    assert not search.ledger.losses
    assert not search.ledger.results
    assert leased_to(PeerId("leaver 6"), effects) == coordinator.leased


def test_workers_that_all_fall_silent_at_once_count_no_losses() -> None:
    spec = make_study(num_trials=8)
    coordinator = Coordinator(spec, slots=0)
    search = coordinator.search
    search.handle(heartbeat(spec, THIRD, search), 0.2)

    notes = of(Note, tick(search, 3.9))

    assert {note.text.split()[2] for note in notes if note.kind == "expired"} == {OTHER, THIRD}
    assert not search.ledger.losses


def test_losses_outlive_the_coordinator_that_recorded_them() -> None:
    spec = make_study(num_trials=3)
    coordinator = Coordinator(spec, slots=0)
    search, trial = coordinator.search, coordinator.leased[0]
    for k in range(3):
        search.handle(PeerUnreachable(PeerId(f"victim {k}") if k else OTHER), k + 0.5)
        search.handle(heartbeat(spec, PeerId(f"victim {k + 1}"), search), k + 0.6)
    entries = tuple(search.ledger.entries)
    assert [e.number for e in of(Lost, list(entries))] == [1, 2, 3]

    search = Search(THIRD, spec)
    search.handle(Started(1, entries=entries, term=1), 0.0)
    for k in (4, 5):
        victim = PeerId(f"victim {k}")
        leased: list[Trial] = []
        for tenths in range(200):
            now_s = 20 * (k - 4) + tenths / 10
            effects = search.handle(TimerFired("tick"), now_s)
            leased += leased_to(
                victim, [*effects, *search.handle(heartbeat(spec, victim, search), now_s)]
            )
        assert trial in leased
        search.handle(PeerUnreachable(victim), 20 * (k - 3))

    assert search.ledger.results[trial.id].error == "lost with 5 workers, the last was victim 5"


def test_a_lease_that_was_never_sent_does_not_count_as_an_attempt() -> None:
    spec = make_study(strategy="bayesian", num_trials=200)
    search = Search(ME, spec)
    search.handle(Started(0, submits=True), 0.0)
    search.handle(heartbeat(spec, OTHER, search), 0.1)
    first = [trial for trials in _asked(search, 10) for trial in trials]
    results = (replace(complete(first[0], peer=OTHER), duration_s=0.01),)
    search.handle(messages.WorkerNews(spec.id, OTHER, (), results), 0.5)
    (later,) = _asked(search, 4)
    unsent = list(search.ledger.trials)[len(first + later) :]

    search.handle(PeerUnreachable(OTHER), 0.6)
    effects = [
        *search.handle(heartbeat(spec, THIRD, search), 0.7),
        *search.handle(heartbeat(spec, PeerId("fourth"), search), 0.8),
    ]

    leases = [item for m in sent(messages.Leases, effects) for item in m.leases]
    assert [(item.trial.id, item.attempt) for item in leases] == [
        (first[1].id, 1),
        *((trial.id, 1) for trial in later),
        (unsent[0], 0),
    ]


def test_the_study_is_over_when_every_trial_has_a_result() -> None:
    spec = make_study(num_trials=2)
    search = Search(ME, spec)
    (first,) = of(RunTrial, search.handle(Started(1, submits=True), 0.0))
    (second,) = of(RunTrial, search.handle(TrialFinished(complete(first.trial)), 1.0))
    assert not search.closed

    effects = search.handle(TrialFinished(complete(second.trial)), 2.0)

    assert search.ledger.closed == Closed("done", ME)
    assert [p.entries[-1] for p in published(messages.StudyLedgerPage, effects)][-1] == Closed(
        "done", ME
    )
    assert search.settled


def test_trials_released_after_the_end_are_not_lost(study: StudySpec) -> None:
    coordinator = Coordinator(study)
    search = coordinator.search
    search.handle(heartbeat(study, OTHER, search, tuple(t.id for t in coordinator.leased)), 1.0)

    search.handle(CancelRequested(), 1.5)
    effects = [
        e for now_s in (2.0, 3.0) for e in search.handle(heartbeat(study, OTHER, search), now_s)
    ]

    assert search.closed
    assert "expired" not in [note.kind for note in of(Note, effects)]


def test_a_time_budget_ends_the_asking_and_running_trials_may_finish() -> None:
    search = Search(ME, make_study(num_trials=0, time_budget_s=10.0))
    trials = [e.trial for e in of(RunTrial, search.handle(Started(1, submits=True), 0.0))]

    effects = search.handle(TrialFinished(complete(trials[0])), 11.0)

    assert not of(RunTrial, effects)
    assert not search.closed
    search.handle(TrialFinished(complete(trials[1])), 12.0)
    assert search.closed


def test_pages_are_published_at_most_five_times_a_second(study: StudySpec) -> None:
    coordinator = Coordinator(study)
    first, second = (complete(trial, peer=OTHER) for trial in coordinator.leased)

    at_once = coordinator.search.handle(coordinator.news((first,)), 1.0)
    soon = coordinator.search.handle(coordinator.news((second,)), 1.1)
    later = coordinator.search.handle(TimerFired("batch"), 1.2)

    pages = [len(published(messages.StudyLedgerPage, e)) for e in (at_once, soon, later)]
    assert pages == [1, 0, 1]
    assert SetTimer("batch", 1.2) in soon


def test_a_trial_that_falls_behind_is_stopped() -> None:
    coordinator = Coordinator(make_study(strategy={"name": "halving", "reduction": 2}))
    good, bad = coordinator.leased
    reports = [
        TrialReport(trial.id, EpochPoint(1, value), peer=OTHER)
        for trial, value in ((good, 0.9), (bad, 0.1))
    ]

    effects = coordinator.search.handle(coordinator.news(reports=tuple(reports)), 1.0)

    assert [stop.trials for stop in sent(messages.StopTrials, effects)] == [(bad.id,)]
