"""What a peer's machine asks for: events in, effects out."""

from dataclasses import replace
from typing import Any

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    FetchBlob,
    PeerUnreachable,
    Publish,
    Send,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.search import messages
from swarm.search.effects import (
    CancelRequested,
    DropTrial,
    LeaveRequested,
    PruneTrial,
    RunTrial,
    SaveEntries,
    SaveTerm,
    Started,
    TrialFinished,
    TrialReported,
)
from swarm.search.ledger import Asked, Closed, Recorded
from swarm.search.search import Search
from swarm.search.study import StudySpec
from swarm.search.trial import EpochPoint, Trial, TrialReport, TrialResult
from tests.search.conftest import ME, OTHER, THIRD, make_study

CHECKPOINT = BlobRef(sha256_hex(b"checkpoint"), 10)


def tick(search: Search, now_s: float) -> list[Effect]:
    return search.handle(TimerFired("tick"), now_s)


def of(kind: type[Any], effects: list[Effect]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


def sent(kind: type[Any], effects: list[Effect]) -> list[Any]:
    return [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, kind)]


def published(kind: type[Any], effects: list[Effect]) -> list[Any]:
    return [e.message for e in effects if isinstance(e, Publish) and isinstance(e.message, kind)]


def complete(trial: Trial, value: float = 0.5, peer: PeerId = ME) -> TrialResult:
    return TrialResult(trial.id, "complete", value, 1.0, peer=peer)


def beat(
    spec: StudySpec, sender: PeerId, search: Search, held: tuple[Any, ...] = (), slots: int = 1
) -> messages.WorkerBeat:
    has = len(search.ledger), search.ledger.checksum
    return messages.WorkerBeat(spec.id, sender, search.standing.term, slots, True, held, *has)


class Proposer:
    """A proposer with one other worker, and the trials that one was lent."""

    def __init__(self, spec: StudySpec, slots: int = 1) -> None:
        self.spec = spec
        self.search = Search(ME, spec)
        self.started = self.search.handle(Started(slots, submits=True), 0.0)
        joined = self.search.handle(beat(spec, OTHER, self.search), 0.1)
        (leases,) = sent(messages.Leases, joined)
        self.lent = [lease.trial for lease in leases.leases]

    def news(self, results: tuple[Any, ...] = (), reports: tuple[Any, ...] = ()) -> Event:
        return messages.WorkerNews(self.spec.id, OTHER, reports, results)


class Worker:
    """A worker that follows a proposer."""

    def __init__(self, spec: StudySpec, me: PeerId = ME) -> None:
        self.spec = spec
        self.search = Search(me, spec)
        self.search.handle(Started(1, term=1, contact=OTHER, proposer=OTHER), 0.0)
        self.search.handle(self.proposer_beat(), 0.1)
        self.trials = [Trial(spec.id, k, "knn", (("k", k),), 1, OTHER) for k in range(3)]

    def proposer_beat(self, sender: PeerId = OTHER, term: int = 1) -> messages.ProposerBeat:
        members = (ME, OTHER, THIRD)
        return messages.ProposerBeat(self.spec.id, sender, term, 0, 0, 0.0, members, 0)

    def leases(self, *trials: Trial, sender: PeerId = OTHER, **fields: Any) -> messages.Leases:
        lent = tuple(messages.Lease(trial, **fields) for trial in trials)
        return messages.Leases(self.spec.id, sender, 1, lent)


# -- proposing


def test_who_submits_proposes_and_works_at_once(study: StudySpec) -> None:
    effects = Proposer(study).started

    assert [e.trial.number for e in of(RunTrial, effects)] == [0, 1]
    assert len(published(messages.ProposerBeat, effects)) == 1
    assert len(published(messages.StudyOffer, effects)) == 1
    assert of(SaveTerm, effects) == [SaveTerm(1)]


def test_a_worker_is_lent_one_trial_to_run_and_one_to_wait(study: StudySpec) -> None:
    assert [trial.number for trial in Proposer(study).lent] == [2, 3]


def test_leases_of_a_strategy_that_takes_its_time_share_messages() -> None:
    spec = make_study(strategy="bayesian", num_trials=200)
    search = Search(ME, spec)
    search.handle(Started(1, submits=True), 0.0)
    search.handle(beat(spec, OTHER, search), 0.1)
    first = _asked(search, 10)

    results = tuple(
        replace(complete(trial, peer=OTHER), duration_s=0.01) for trial in first[0] + first[1]
    )
    search.handle(messages.WorkerNews(spec.id, OTHER, (), results), 0.5)
    later = _asked(search, 80)

    assert [len(trials) for trials in first] == [1, 1]
    assert [len(trials) for trials in later] == [1, 1, 8, 8, 8, 6]
    lent = [trial.id for trials in first + later for trial in trials]
    assert len(lent) == len(set(lent))


def _asked(search: Search, times: int) -> list[list[Trial]]:
    """Trials of each message of leases while a slow strategy is asked so many times."""
    found: list[list[Trial]] = []
    for _ in range(times):
        effects = search.handle(TimerFired("ask"), 0.5)
        found += [
            [lease.trial for lease in leases.leases] for leases in sent(messages.Leases, effects)
        ]
    return found


def test_what_is_sent_was_saved_before(study: StudySpec) -> None:
    proposer = Proposer(study)

    effects = proposer.search.handle(proposer.news((complete(proposer.lent[0], peer=OTHER),)), 0.5)

    saved = [e for effect in of(SaveEntries, effects) for e in effect.entries]
    assert Recorded(complete(proposer.lent[0], peer=OTHER)) in saved
    first_send = next(place for place, e in enumerate(effects) if isinstance(e, Send))
    assert all(effects.index(effect) < first_send for effect in of(SaveEntries, effects))


def test_the_first_result_wins_and_a_second_one_changes_nothing(study: StudySpec) -> None:
    proposer = Proposer(study)
    trial = proposer.lent[0]
    proposer.search.handle(proposer.news((complete(trial, 0.5, OTHER),)), 0.5)

    effects = proposer.search.handle(proposer.news((complete(trial, 0.9, OTHER),)), 0.6)

    assert proposer.search.ledger.results[trial.id].value == 0.5
    assert not of(SaveEntries, effects)


def test_a_result_of_a_trial_that_was_lent_to_somebody_else_is_not_taken(study: StudySpec) -> None:
    proposer = Proposer(study)
    (own,) = [t for t in proposer.search.ledger.trials.values() if t.number == 0]

    proposer.search.handle(proposer.news((complete(own, 1.0, OTHER),)), 0.5)

    assert not proposer.search.ledger.results


def test_three_missed_heartbeats_and_the_trials_go_to_others_first_of_all(
    study: StudySpec,
) -> None:
    proposer = Proposer(study)
    search = proposer.search
    search.handle(beat(study, OTHER, search, tuple(t.id for t in proposer.lent)), 0.5)
    search.handle(beat(study, THIRD, search), 3.0)

    assert not [t for t in _lent_to(THIRD, tick(search, 3.9)) if t in proposer.lent]
    effects = tick(search, 4.1)

    own = search.handle(TrialFinished(complete(_own(search, 0))), 4.2)
    running = [e.trial for e in of(RunTrial, [*effects, *own])]
    lent = [*_lent_to(THIRD, [*effects, *own]), *running]
    assert proposer.lent[0] in lent
    assert lent.index(proposer.lent[0]) == 0


def test_a_worker_that_cannot_be_reached_loses_its_trials_at_once(study: StudySpec) -> None:
    proposer = Proposer(study)

    proposer.search.handle(PeerUnreachable(OTHER), 0.5)
    effects = proposer.search.handle(TrialFinished(complete(_own(proposer.search, 0))), 0.6)

    assert [e.trial for e in of(RunTrial, effects)] == [proposer.lent[0]]


def test_a_lease_that_never_arrived_is_sent_again(study: StudySpec) -> None:
    proposer = Proposer(study)
    proposer.search.handle(beat(study, OTHER, proposer.search), 2.5)

    effects = tick(proposer.search, 2.7)

    assert _lent_to(OTHER, effects) == proposer.lent


def test_a_worker_that_lost_a_trial_it_had_confirmed_does_not_keep_it(study: StudySpec) -> None:
    proposer = Proposer(study)
    search = proposer.search
    search.handle(beat(study, OTHER, search, tuple(t.id for t in proposer.lent)), 1.0)

    search.handle(beat(study, OTHER, search, (proposer.lent[1].id,)), 2.0)
    effects = search.handle(beat(study, OTHER, search, (proposer.lent[1].id,)), 3.0)

    (lease,) = [item for m in sent(messages.Leases, effects) for item in m.leases]
    assert (lease.trial, lease.attempt) == (proposer.lent[0], 1)


def test_a_trial_that_is_lost_again_and_again_fails(study: StudySpec) -> None:
    proposer = Proposer(make_study(num_trials=3), slots=0)
    search, trial = proposer.search, proposer.lent[0]
    for k in range(5):
        search.handle(PeerUnreachable(PeerId(f"victim {k}") if k else OTHER), k + 0.5)
        search.handle(beat(search.spec, PeerId(f"victim {k + 1}"), search), k + 0.6)

    result = search.ledger.results[trial.id]
    assert result.state == "failed"
    assert "lost with 5 workers" in result.error


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


def test_a_time_budget_ends_the_asking_and_what_runs_may_finish() -> None:
    search = Search(ME, make_study(num_trials=0, time_budget_s=10.0))
    trials = [e.trial for e in of(RunTrial, search.handle(Started(1, submits=True), 0.0))]

    effects = search.handle(TrialFinished(complete(trials[0])), 11.0)

    assert not of(RunTrial, effects)
    assert not search.closed
    search.handle(TrialFinished(complete(trials[1])), 12.0)
    assert search.closed


def test_pages_are_published_at_most_five_times_a_second(study: StudySpec) -> None:
    proposer = Proposer(study)
    first, second = (complete(trial, peer=OTHER) for trial in proposer.lent)

    at_once = proposer.search.handle(proposer.news((first,)), 1.0)
    soon = proposer.search.handle(proposer.news((second,)), 1.1)
    later = proposer.search.handle(TimerFired("batch"), 1.2)

    pages = [len(published(messages.StudyLedgerPage, e)) for e in (at_once, soon, later)]
    assert pages == [1, 0, 1]
    assert SetTimer("batch", 1.2) in soon


def test_a_trial_that_falls_behind_is_told_to_stop() -> None:
    proposer = Proposer(make_study(strategy={"name": "halving", "reduction": 2}))
    good, bad = proposer.lent
    reports = [
        TrialReport(trial.id, EpochPoint(1, value), peer=OTHER)
        for trial, value in ((good, 0.9), (bad, 0.1))
    ]

    effects = proposer.search.handle(proposer.news(reports=tuple(reports)), 1.0)

    assert [stop.trials for stop in sent(messages.StopTrials, effects)] == [(bad.id,)]


# -- working


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


def test_leases_pages_and_stops_of_anybody_else_are_ignored(study: StudySpec) -> None:
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


def test_another_study_s_messages_are_ignored(study: StudySpec) -> None:
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


def test_who_has_nothing_left_that_waits_tells_its_results_at_once(study: StudySpec) -> None:
    worker = Worker(study)
    worker.search.handle(worker.leases(*worker.trials[:2]), 0.2)

    told = [
        sent(messages.WorkerNews, worker.search.handle(TrialFinished(complete(trial)), now_s))
        for trial, now_s in zip(worker.trials[:2], (1.0, 1.03), strict=True)
    ]

    assert [len(messages) for messages in told] == [1, 1]


def test_a_trial_somebody_else_finished_is_dropped(study: StudySpec) -> None:
    worker = Worker(study)
    trial = worker.trials[0]
    worker.search.handle(worker.leases(trial), 0.2)
    entries = (Asked(trial), Recorded(complete(trial, peer=THIRD)))

    effects = worker.search.handle(
        messages.StudyLedgerPage(study.id, OTHER, 1, 0, entries, 2), 0.5
    )

    assert of(DropTrial, effects) == [DropTrial(trial.id)]


def test_a_checkpoint_is_fetched_before_its_trial_goes_on(study: StudySpec) -> None:
    worker = Worker(study)
    trial = worker.trials[0]

    asked = worker.search.handle(
        worker.leases(trial, checkpoint=CHECKPOINT, holders=(THIRD,)), 0.2
    )
    arrived = worker.search.handle(BlobArrived(CHECKPOINT), 0.4)

    assert [(e.blob, e.holders) for e in of(FetchBlob, asked)] == [(CHECKPOINT, (THIRD,))]
    assert not of(RunTrial, asked)
    assert of(RunTrial, arrived) == [RunTrial(trial, CHECKPOINT)]


def test_without_its_checkpoint_a_trial_begins_anew(study: StudySpec) -> None:
    worker = Worker(study)
    trial = worker.trials[0]
    worker.search.handle(worker.leases(trial, checkpoint=CHECKPOINT, holders=(THIRD,)), 0.2)

    effects = worker.search.handle(BlobMissing(CHECKPOINT, "gone"), 0.4)

    assert of(RunTrial, effects) == [RunTrial(trial)]


def test_reports_are_told_with_who_executes(study: StudySpec) -> None:
    worker = Worker(study)
    trial = worker.trials[0]
    worker.search.handle(worker.leases(trial), 0.2)
    report = TrialReport(trial.id, EpochPoint(1, 0.5))

    effects = worker.search.handle(TrialReported(report), 1.0)

    assert [n.reports for n in sent(messages.WorkerNews, effects)] == [(replace(report, peer=ME),)]


def test_who_lacks_the_study_s_data_fetches_it_and_offers_no_slots_until_then() -> None:
    data = BlobRef(sha256_hex(b"data"), 4)
    spec = replace(make_study(), dataset="file", data=data, data_format="npz")
    worker = Search(ME, spec)

    started = worker.handle(Started(1, term=1, contact=OTHER, proposer=OTHER), 0.0)
    without = worker.handle(TimerFired("tick"), 1.0)
    with_it = worker.handle(BlobArrived(data), 1.5)

    assert [e.blob for e in of(FetchBlob, started)] == [data]
    assert [b.slots for b in sent(messages.WorkerBeat, [*without, *with_it])] == [0, 1]


# -- following and taking over


def test_a_gap_in_the_ledger_is_asked_for(study: StudySpec) -> None:
    worker = Worker(study)
    entries = tuple(Asked(trial) for trial in worker.trials)
    page = messages.StudyLedgerPage(study.id, OTHER, 1, 5, entries, 8)

    effects = worker.search.handle(page, 0.5)

    assert [r.start for r in sent(messages.StudyLedgerRequest, effects)] == [0]
    assert not worker.search.ledger.trials


@pytest.mark.parametrize("event", [PeerUnreachable(OTHER), None])
def test_somebody_takes_over_from_a_lost_proposer_and_only_one(event: Event | None) -> None:
    spec = make_study()
    heirs = [Worker(spec, me).search for me in (ME, THIRD)]
    proposing: list[tuple[float, PeerId]] = []
    for place in range(40):
        now_s = 0.2 + place / 4
        for heir in heirs:
            effects = tick(heir, now_s)
            if event is not None and place == 0:
                effects += heir.handle(event, now_s)
            for claim in published(messages.ProposerBeat, effects):
                proposing.append((now_s, heir.me))
                for other in heirs:
                    other.handle(claim, now_s)

    took_over_s, heir_name = proposing[0]
    assert {name for _, name in proposing} == {heir_name}
    assert took_over_s < (1.0 if event is not None else 4.0)


def test_the_heir_waits_for_what_the_others_know_before_it_asks(study: StudySpec) -> None:
    heir = _heir(study)
    search = heir.search
    assert search.proposing is not None

    alone = [e for place in range(4) for e in tick(search, 0.6 + place / 10)]
    others = search.handle(beat(study, THIRD, search), 1.0)

    assert not of(RunTrial, alone)
    assert of(RunTrial, others)


def test_the_heir_does_not_ask_again_for_what_others_still_run(study: StudySpec) -> None:
    heir = _heir(study)
    search, trial = heir.search, heir.trials[0]
    gift = messages.LedgerGift(study.id, THIRD, search.standing.term, (Asked(trial),))

    effects = search.handle(gift, 0.9)
    effects += search.handle(beat(study, THIRD, search, (trial.id,)), 1.0)
    effects += [e for place in range(20) for e in tick(search, 1.2 + place / 4)]

    assert trial not in [e.trial for e in of(RunTrial, effects)]
    assert trial not in _lent_to(THIRD, effects)


def test_what_nobody_runs_any_more_is_lent_again(study: StudySpec) -> None:
    heir = Worker(study)
    heir.search.handle(
        messages.StudyLedgerPage(study.id, OTHER, 1, 0, (Asked(heir.trials[0]),), 1), 0.3
    )
    heir.search.standing.members = (ME, OTHER)

    effects = heir.search.handle(PeerUnreachable(OTHER), 0.5)

    assert heir.trials[0] in [e.trial for e in of(RunTrial, effects)]


def test_who_hears_of_a_greater_term_steps_down_and_gives_what_it_has(study: StudySpec) -> None:
    proposer = Proposer(study)
    claim = messages.ProposerBeat(study.id, THIRD, 2, 0, 0, 1.0, (ME, THIRD), 0)

    effects = proposer.search.handle(claim, 1.0)

    assert proposer.search.proposing is None
    (gift,) = sent(messages.LedgerGift, effects)
    assert len(gift.entries) == len(proposer.search.ledger)
    (own,) = sent(messages.WorkerBeat, effects)
    assert set(own.held) == {_own(proposer.search, k).id for k in (0, 1)}


def test_a_term_out_of_all_proportion_is_not_believed(study: StudySpec) -> None:
    worker = Worker(study)

    worker.search.handle(worker.proposer_beat(THIRD, 2**50), 0.5)

    assert worker.search.standing.proposer == OTHER


def test_after_a_restart_a_peer_waits_for_others_before_it_proposes(study: StudySpec) -> None:
    before = Proposer(study).search.ledger.entries
    search = Search(ME, study)
    search.handle(Started(1, tuple(before), term=1), 100.0)

    early = [tick(search, 100.0 + place / 4) for place in range(11)]
    late = [e for place in range(40) for e in tick(search, 103.0 + place / 4)]

    assert not [e for effects in early for e in published(messages.ProposerBeat, effects)]
    assert published(messages.ProposerBeat, late)[0].term == 2
    new = [e.trial for e in of(RunTrial, late)]
    next_ones = search.handle(TrialFinished(complete(new[0])), 120.0)
    assert [e.trial.number for e in of(RunTrial, next_ones)] == [0]


# -- the end


def test_a_user_s_wish_to_cancel_is_repeated_until_the_proposer_heard_it(study: StudySpec) -> None:
    worker, proposer = Worker(study), Proposer(study)

    (wish,) = published(messages.CancelStudy, worker.search.handle(CancelRequested(), 1.0))
    assert published(messages.CancelStudy, tick(worker.search, 2.0)) == [wish]
    effects = proposer.search.handle(wish, 1.1)

    assert proposer.search.ledger.closed == Closed("cancelled", ME)
    assert {e.trial for e in of(DropTrial, effects)} == {
        _own(proposer.search, k).id for k in (0, 1)
    }


def test_who_leaves_says_so_and_asks_for_nothing_more(study: StudySpec) -> None:
    proposer = Proposer(study)

    effects = proposer.search.handle(LeaveRequested(), 1.0)

    assert len(published(messages.LeaveStudy, effects)) == 1
    assert proposer.search.handle(TimerFired("tick"), 2.0) == []


def _heir(study: StudySpec) -> Worker:
    """A worker that has just taken over, with one other worker left."""
    heir = Worker(study)
    search = heir.search
    search.handle(PeerUnreachable(OTHER), 0.5)
    for place in range(8):
        if search.proposing is None:
            tick(search, 0.5 + place / 4)
    return heir


def _own(search: Search, number: int) -> Trial:
    (trial,) = [t for t in search.ledger.trials.values() if t.number == number]
    return trial


def _lent_to(peer: PeerId, effects: list[Effect]) -> list[Trial]:
    return [
        lease.trial
        for effect in effects
        if isinstance(effect, Send) and effect.peer == peer
        if isinstance(effect.message, messages.Leases)
        for lease in effect.message.leases
    ]


def test_who_comes_back_to_a_study_that_is_over_hands_out_all_of_it(study: StudySpec) -> None:
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
    looker.handle(Started(0, term=offer.term, contact=ME, proposer=offer.proposer), 2.0)
    assert not looker.complete
    looker.handle(page, 2.1)

    assert looker.complete
    assert looker.ledger.checksum == search.ledger.checksum


def test_a_stranger_s_gift_is_not_taken(study: StudySpec) -> None:
    proposer = Proposer(study)
    (own,) = [t for t in proposer.search.ledger.trials.values() if t.number == 0]
    forged = (Recorded(complete(own, 1.0, THIRD)),)

    proposer.search.handle(messages.LedgerGift(study.id, THIRD, 1, forged), 1.0)

    assert not proposer.search.ledger.results
