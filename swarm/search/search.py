"""Search: the machine that takes part in one study, as worker, proposer, or looking on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    KeepConnected,
    PeerConnected,
    PeerUnreachable,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.search import effects, messages
from swarm.search.ledger import Asked, Closed, Entry, Ledger, Recorded, Reported
from swarm.search.proposing import Proposing
from swarm.search.replica import Replica
from swarm.search.standing import Standing
from swarm.search.strategies import Load, make_strategy
from swarm.search.study import NOBODY, StudySpec
from swarm.search.study_blobs import StudyBlobs
from swarm.search.topics import SEARCH_TOPIC, study_topic
from swarm.search.working import Working

TICKS_PER_HEARTBEAT = 4
NEWS_EVERY_S = 0.2
"""Results wait at most so long for others to share their message."""
PAGES_EVERY_S = 0.2
"""New entries wait at most so long; five messages a second of one author are welcome anywhere."""
ASK_AFTER_S = 0.002
"""A strategy that takes its time is asked once what was just decided has been done."""
NEWS_AGAIN_HEARTBEATS = 2
OFFER_EVERY_HEARTBEATS = 3
CLOSED_BEATS = 5
"""A study that is over is told of so many times less often."""
CONNECTIONS_MAX = 16
_TICK, _BATCH, _ASK = "tick", "batch", "ask"


class Search:
    """One peer's part in one study.

    Invariants:
        The ledger only grows; a trial's result in it changes only to that of a greater term.
        (term, proposer) only goes up.
        What is sent was asked to be saved before.
    """

    def __init__(
        self, me: PeerId, spec: StudySpec, load: Load | None = None, *, may_propose: bool = True
    ) -> None:
        self.me = me
        self.spec = spec
        self.ledger = Ledger(spec)
        self.standing = Standing(me, spec)
        self.proposing: Proposing | None = None
        self.slots = 0
        self._load = load
        self._may_propose = may_propose
        self._effects: list[Effect] = []
        self._blobs = StudyBlobs(me, spec, self._emit)
        self._working = Working(me, spec.id, self._blobs, self._emit)
        self._replica = Replica(me, self.ledger, self._emit)
        self._elapsed_s = 0.0
        self._beat_s = float("-inf")
        self._offered_s = float("-inf")
        self._batch_s = float("-inf")
        self._batch_due_s = float("inf")
        self._now_s = 0.0
        self._is_to_ask = False
        self._cancels = False
        self._has_left = False

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine`."""
        self._now_s = now_s
        self._effects = []
        handler = _HANDLERS.get(type(event))
        is_ours = getattr(event, "study", self.spec.id) == self.spec.id
        if handler is not None and is_ours and not self._has_left:
            handler(self, event)
            if not self._has_left:
                self._tell_what_is_due()
        asked, self._effects = self._effects, []
        return asked

    @property
    def held(self) -> tuple[str, ...]:
        """Trials lent to this peer whose results are not in the ledger."""
        return self._working.held

    @property
    def closed(self) -> bool:
        """Whether the study is over, as far as this peer knows."""
        return self.ledger.closed is not None

    @property
    def complete(self) -> bool:
        """Whether the ledger here equals the proposer's."""
        return self._replica.is_complete

    @property
    def settled(self) -> bool:
        """Whether the study is over and every member known has the whole ledger."""
        if self.proposing is not None:
            return self.closed and self.proposing.num_unsynced() == 0
        return self.closed and self.complete

    @property
    def workers(self) -> dict[PeerId, int]:
        """Slots by worker, if this peer proposes; otherwise members, with their slots unknown."""
        if self.proposing is not None:
            return {peer: slots for peer, slots in self.proposing.workers.items() if slots}
        return dict.fromkeys(self.standing.members, 0)

    @property
    def elapsed_s(self) -> float:
        """How long the study has been running, as of the last event."""
        if self.proposing is not None:
            return self.proposing.elapsed_s(self._now_s)
        return self._elapsed_s + self.standing.silent_s(self._now_s)

    # -- life

    def _start(self, event: effects.Started) -> None:
        self.slots = event.slots
        self.standing.begin(event.term, self._now_s)
        self._replica.follow(NOBODY, event.term)
        for entry in event.entries:
            self.ledger.add(entry)
        self._emit(Subscribe(study_topic(self.spec.id)))
        if event.contact is not None:
            self._follow(event.term, event.proposer or event.contact)
            self._replica.request(0)
        if event.submits:
            self._propose(patient=False)
        self._set_tick()
        self._fetch_data()

    def _change_slots(self, event: effects.SlotsChanged) -> None:
        self.slots = event.slots
        self._fetch_data()
        self._beat()

    def _leave(self, _: effects.LeaveRequested) -> None:
        self._publish(messages.LeaveStudy(self.spec.id, self.me))
        self._emit(Unsubscribe(study_topic(self.spec.id)))
        self._working.drop_all()
        self._has_left = True

    def _take_timer(self, event: TimerFired) -> None:
        if event.name == _TICK:
            self._tick()
        elif event.name == _ASK and self.proposing is not None:
            self._is_to_ask = False
            self.proposing.ask_one(self._now_s)
        elif event.name == _BATCH:
            self._batch_due_s = float("inf")  # what is told after every event is told now

    def _tick(self) -> None:
        self._set_tick()
        spacing_s = self.spec.heartbeat_s * (CLOSED_BEATS if self.closed else 1)
        if self._now_s >= self._beat_s + spacing_s or self._members_changed():
            self._beat()
        if self.proposing is not None:
            self.proposing.tick(self._now_s)
            self._offer_now_and_then()
        else:
            self._take_over_if_due()
        self._fetch_data()
        if self._cancels and not self.closed:
            self._publish(messages.CancelStudy(self.spec.id, self.me))

    def _tell_what_is_due(self) -> None:
        self._tell_news()
        self._publish_pages()
        self._replica.read_on(self._now_s)
        if self.proposing is not None and self.proposing.is_behind and not self._is_to_ask:
            self._is_to_ask = True
            self._emit(SetTimer(_ASK, self._now_s + ASK_AFTER_S))

    # -- beats and offers

    def _beat(self) -> None:
        self._beat_s = self._now_s
        beat = messages.WorkerBeat(
            self.spec.id,
            self.me,
            self.standing.term,
            self.slots if self._blobs.data_is_here else 0,
            self._may_propose and self.slots > 0,
            self._working.held,
            *self._replica.has,
        )
        if self.proposing is not None:
            self.proposing.take_beat(beat, self._now_s)
            self.standing.members = self.proposing.members()
            self._publish(self._proposer_beat(self.proposing))
            self._connect(tuple(self.workers))
        elif self.standing.proposer != NOBODY:
            self._emit(Send(self.standing.proposer, beat))
        else:
            self._publish(beat)  # whoever proposes hears it, and answers with its own

    def _members_changed(self) -> bool:
        """Whether those who may succeed us do not know of each other yet."""
        return self.proposing is not None and self.proposing.members() != self.standing.members

    def _proposer_beat(self, proposing: Proposing) -> messages.ProposerBeat:
        return messages.ProposerBeat(
            self.spec.id,
            self.me,
            self.standing.term,
            *self._replica.has,
            proposing.elapsed_s(self._now_s),
            proposing.members(),
            proposing.num_unsynced(),
        )

    def _offer_now_and_then(self) -> None:
        beats = OFFER_EVERY_HEARTBEATS * (CLOSED_BEATS if self.closed else 1)
        if self._now_s >= self._offered_s + beats * self.spec.heartbeat_s:
            self._offered_s = self._now_s
            self._emit(Publish(SEARCH_TOPIC, self._offer()))

    def _offer(self) -> messages.StudyOffer:
        return messages.StudyOffer(self.me, self.spec, self.standing.term, self.me, self.closed)

    def _take_query(self, query: messages.StudyQuery) -> None:
        if self.proposing is not None or self.closed:
            self._emit(Send(query.sender, self._offer()))

    def _take_worker_beat(self, beat: messages.WorkerBeat) -> None:
        self.standing.hear(beat.sender, self._now_s)
        if self.proposing is None:
            return
        is_news = beat.sender not in self.proposing.workers
        self.proposing.take_beat(beat, self._now_s)
        if is_news or beat.term < self.standing.term:
            self._emit(Send(beat.sender, self._proposer_beat(self.proposing)))

    def _take_proposer_beat(self, beat: messages.ProposerBeat) -> None:
        standing = self.standing
        if not standing.believes(beat.term, beat.sender):
            if self.proposing is not None:
                self._emit(Send(beat.sender, self._proposer_beat(self.proposing)))
            return
        is_new = (beat.term, beat.sender) != (standing.term, standing.proposer)
        if is_new:
            self._follow(beat.term, beat.sender)
        standing.hear(beat.sender, self._now_s)
        standing.members = beat.members
        self._elapsed_s = beat.elapsed_s
        self._replica.hear(beat, is_new=is_new, now_s=self._now_s)
        if is_new:
            self._connect((beat.sender, *beat.members))
            self._beat()

    def _connect(self, peers: tuple[PeerId, ...]) -> None:
        first = [peer for peer in dict.fromkeys(peers) if peer != self.me][:CONNECTIONS_MAX]
        self._emit(KeepConnected(tuple(first)))

    # -- who proposes

    def _follow(self, term: int, proposer: PeerId) -> None:
        if self.proposing is not None:
            self._note("stepped down", f"{proposer} proposes in term {term}")
            self.proposing = None
        self._rise(term, proposer)

    def _propose(self, *, patient: bool) -> None:
        """Begin a term of our own.

        Args:
            patient: Whether others may be there that we do not know of.
        """
        try:
            strategy = make_strategy(self.spec, self._load)
        except ValueError as error:  # somebody's code, which may not run here
            self._may_propose = False
            self._note("cannot propose", str(error))
            return
        expected, elapsed_s = self.standing.others(), self.elapsed_s
        self._rise(self.standing.term + 1, self.me)
        term = self.standing.term
        self._note("proposes", f"term {term}, {len(self.ledger.results)} results so far")
        self.proposing = Proposing(
            self.spec,
            self.me,
            term,
            self.ledger,
            strategy,
            self._blobs,
            self._append,
            self._to_worker,
            self._note,
        )
        self.proposing.begin(self._now_s, elapsed_s, expected, patient)
        self._beat()
        self._offered_s = float("-inf")
        self._offer_now_and_then()

    def _rise(self, term: int, proposer: PeerId) -> None:
        if term != self.standing.term:
            self._emit(effects.SaveTerm(term))
        self.standing.follow(term, proposer, self._now_s)
        self._replica.follow(proposer, term)

    def _take_over_if_due(self) -> None:
        able = self._may_propose and self.slots and self.proposing is None
        if able and not self.closed and self._now_s >= self.standing.due_s():
            self._propose(patient=self.standing.is_new_here)

    def _lose(self, peer: PeerId) -> None:
        self.standing.lose(peer, self._now_s)
        if self.proposing is not None:
            self.proposing.lose(peer, self._now_s)
        else:
            self._take_over_if_due()

    # -- the ledger

    def _append(self, entry: Entry) -> bool:
        """Take in an entry as the proposer."""
        return self.ledger.add(entry) and self._took(entry)

    def _took(self, entry: Entry) -> bool:
        self._emit(effects.SaveEntries((entry,)))
        match entry:
            case Recorded(result):
                self._working.recorded(result.trial)
                self._blobs.forget(result.trial)
            case Reported(report) if report.trial not in self.ledger.results:
                if self.me in {self.standing.proposer, report.peer, *self.standing.standbys(1)}:
                    self._blobs.keep_checkpoint(report)
            case Closed():
                self._working.drop_all()
                self._blobs.forget_all()
                self._note("closed", entry.reason)
        return True

    def _take_page(self, page: messages.StudyLedgerPage) -> None:
        if self.proposing is not None or not self._is_of_proposer(page.sender, page.term):
            return
        self.standing.hear(page.sender, self._now_s)
        for entry in self._replica.take(page):
            self._took(entry)
        if self.closed and self.complete:
            self._beat()  # it waits for us to have all

    def _take_request(self, request: messages.StudyLedgerRequest) -> None:
        if self.proposing is not None or self.closed:
            self._replica.answer(request)

    def _publish_pages(self) -> None:
        if self.proposing is None or self._replica.is_published:
            return
        if self.closed or self._may_tell(PAGES_EVERY_S):
            self._replica.publish()
            if self.closed:
                self._beat()

    def _take_gift(self, gift: messages.LedgerGift) -> None:
        if self.proposing is not None:
            self.proposing.take_gift(gift, self._now_s)

    # -- work

    def _take_leases(self, message: messages.Leases) -> None:
        if self.closed or not self._is_of_proposer(message.sender, message.term):
            return
        mine = [lease for lease in message.leases if lease.trial.study == self.spec.id]
        for lease in mine:
            asked = Asked(lease.trial)
            if self.ledger.add(asked):  # should its proposer die now, we know of it
                self._took(asked)
        self._working.take(mine, self.ledger)

    def _take_stop(self, message: messages.StopTrials) -> None:
        if self._is_of_proposer(message.sender, message.term):
            self._working.prune(message.trials)

    def _is_of_proposer(self, sender: PeerId, term: int) -> bool:
        return (sender, term) == (self.standing.proposer, self.standing.term)

    def _take_reported(self, event: effects.TrialReported) -> None:
        if event.report.trial in self._working.held:
            report = replace(event.report, peer=self.me)
            self._blobs.keep_checkpoint(report)
            self._working.report(report)

    def _take_finished(self, event: effects.TrialFinished) -> None:
        self._working.finish(replace(event.result, peer=self.me))

    def _tell_news(self) -> None:
        again_s = NEWS_AGAIN_HEARTBEATS * self.spec.heartbeat_s
        if self.standing.proposer == NOBODY or not self._working.has_news(self._now_s, again_s):
            return
        if self.proposing is not None:
            for news in self._working.news(self._now_s, again_s):
                self.proposing.take_news(news, self._now_s)
        elif self._may_tell(NEWS_EVERY_S):
            for news in self._working.news(self._now_s, again_s):
                self._emit(Send(self.standing.proposer, news))

    def _take_news(self, news: messages.WorkerNews) -> None:
        if self.proposing is not None:
            self.proposing.take_news(news, self._now_s)

    def _to_worker(self, peer: PeerId, message: Event) -> None:
        if peer != self.me:
            self._emit(Send(peer, message))
        elif isinstance(message, messages.Leases):
            self._take_leases(message)
        elif isinstance(message, messages.StopTrials):
            self._take_stop(message)

    def _fetch_data(self) -> None:
        if self.slots:
            members = (self.standing.proposer, *self.standing.members)
            self._blobs.fetch_data(members, self._now_s)

    def _take_blob(self, event: BlobArrived) -> None:
        if self._blobs.arrived(event.blob):
            self._beat()  # now this peer can work
        self._working.blob_is_here(event.blob)

    def _take_missing(self, event: BlobMissing) -> None:
        self._working.blob_is_missing(event.blob)

    # -- cancelling

    def _request_cancel(self, _: effects.CancelRequested) -> None:
        self._cancels = True
        if self.proposing is not None:
            self.proposing.cancel()
        else:
            self._publish(messages.CancelStudy(self.spec.id, self.me))

    def _take_cancel(self, _: messages.CancelStudy) -> None:
        if self.proposing is not None:
            self.proposing.cancel()

    # -- effects

    def _emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    def _publish(self, message: Event) -> None:
        self._emit(Publish(study_topic(self.spec.id), message))

    def _note(self, kind: str, text: str) -> None:
        self._emit(effects.Note(kind, text))

    def _set_tick(self) -> None:
        due_s = self._now_s + self.spec.heartbeat_s / TICKS_PER_HEARTBEAT
        self._emit(SetTimer(_TICK, due_s))

    def _may_tell(self, spacing_s: float) -> bool:
        """Whether the next batch may go out; if not yet, there will be an event in time."""
        due_s = self._batch_s + spacing_s
        if self._now_s >= due_s:
            self._batch_s = self._now_s
            return True
        if due_s < self._batch_due_s or self._batch_due_s <= self._now_s:
            self._batch_due_s = due_s
            self._emit(SetTimer(_BATCH, due_s))
        return False


_HANDLERS: dict[type[Event], Callable[[Search, Any], None]] = {
    effects.Started: Search._start,
    effects.SlotsChanged: Search._change_slots,
    effects.TrialReported: Search._take_reported,
    effects.TrialFinished: Search._take_finished,
    effects.CancelRequested: Search._request_cancel,
    effects.LeaveRequested: Search._leave,
    TimerFired: Search._take_timer,
    PeerConnected: lambda search, event: search.standing.hear(event.peer, search._now_s),
    PeerUnreachable: lambda search, event: search._lose(event.peer),
    BlobArrived: Search._take_blob,
    BlobMissing: Search._take_missing,
    messages.StudyQuery: Search._take_query,
    messages.ProposerBeat: Search._take_proposer_beat,
    messages.WorkerBeat: Search._take_worker_beat,
    messages.Leases: Search._take_leases,
    messages.StopTrials: Search._take_stop,
    messages.WorkerNews: Search._take_news,
    messages.StudyLedgerPage: Search._take_page,
    messages.StudyLedgerRequest: Search._take_request,
    messages.LedgerGift: Search._take_gift,
    messages.CancelStudy: Search._take_cancel,
    messages.LeaveStudy: lambda search, message: search._lose(message.sender),
}
