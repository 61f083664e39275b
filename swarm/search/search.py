"""Search: the machine that takes part in one study, as worker, proposer, or looking on."""

from collections.abc import Callable
from typing import Any

from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
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
from swarm.search.coordinating import Proposing
from swarm.search.coordinators import Standing
from swarm.search.leased_trials import Working
from swarm.search.outgoing import BATCH, Telling
from swarm.search.recording import Recording
from swarm.search.replica import Replica
from swarm.search.strategies import Load, make_strategy
from swarm.search.study import NOBODY, StudySpec
from swarm.search.study_blobs import StudyBlobs
from swarm.search.study_heartbeats import Beats
from swarm.search.study_ledger import Ledger
from swarm.search.topics import study_topic
from swarm.search.worker_role import Worker

TICKS_PER_HEARTBEAT = 4
_TICK, _ASK = "tick", "ask"


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
        self._load = load
        self._may_propose = may_propose
        self._effects: list[Effect] = []
        self._blobs = StudyBlobs(me, spec, self._emit)
        self._working = Working(me, spec.id, self._blobs, self._emit)
        self._replica = Replica(me, self.ledger, self._emit)
        self._beats = Beats(me, spec, self.standing, self._replica, self._emit)
        self._telling = Telling(spec, self.standing, self._working, self._replica, self._emit)
        self._recording = Recording(
            me, self.ledger, self.standing, self._working, self._blobs, self._emit
        )
        self._worker = Worker(
            me, self.ledger, self.standing, self._working, self._blobs, self._recording
        )
        self._elapsed_s = 0.0
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
    def slots(self) -> int:
        """Trials this peer can run at a time."""
        return self._worker.slots

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
        self._worker.slots = event.slots
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
        self._worker.fetch_data(self._now_s)

    def _change_slots(self, event: effects.SlotsChanged) -> None:
        self._worker.slots = event.slots
        self._worker.fetch_data(self._now_s)
        self._beat()

    def _leave(self, _: effects.LeaveRequested) -> None:
        self._publish(messages.LeaveStudy(self.spec.id, self.me))
        self._emit(Unsubscribe(study_topic(self.spec.id)))
        self._working.drop_all()
        self._has_left = True

    def _take_timer(self, event: TimerFired) -> None:
        if event.name == _TICK:
            self._tick()
        elif event.name == _ASK:
            self._is_to_ask = False
            if self.proposing is not None:
                self.proposing.ask_on(self._now_s)
        elif event.name == BATCH:
            self._telling.batch_is_due()

    def _tick(self) -> None:
        self._set_tick()
        if self._beats.is_due(self.proposing, self._now_s, closed=self.closed):
            self._beat()
        if self.proposing is not None:
            self.proposing.tick(self._now_s)
            self._beats.offer_now_and_then(self._now_s, closed=self.closed)
        else:
            self._take_over_if_due()
        self._worker.fetch_data(self._now_s)
        if self._cancels and not self.closed:
            self._publish(messages.CancelStudy(self.spec.id, self.me))

    def _tell_what_is_due(self) -> None:
        self._telling.tell_news(self.proposing, self._now_s, self._worker.slots)
        if self.proposing is not None:
            published = self._telling.publish_pages(self._now_s, closed=self.closed)
            if published and self.closed:
                self._beat()
        self._replica.read_on(self._now_s)
        if self.proposing is not None and self.proposing.is_behind and not self._is_to_ask:
            self._is_to_ask = True
            self._emit(SetTimer(_ASK, self._now_s))  # once what was just decided has been done

    # -- beats and offers

    def _beat(self) -> None:
        mine = self._worker.beat(self._replica.has, may_propose=self._may_propose)
        self._beats.beat(mine, self.proposing, self._now_s)

    def _take_query(self, query: messages.StudyQuery) -> None:
        if self.proposing is not None or self.closed:
            self._emit(Send(query.sender, self._beats.offer(closed=self.closed)))

    def _take_worker_beat(self, beat: messages.WorkerBeat) -> None:
        self.standing.hear(beat.sender, self._now_s)
        if self.proposing is None:
            return
        is_news = beat.sender not in self.proposing.workers
        self.proposing.take_beat(beat, self._now_s)
        if is_news or beat.term < self.standing.term:
            self._emit(Send(beat.sender, self._beats.as_proposer(self.proposing, self._now_s)))

    def _take_proposer_beat(self, beat: messages.ProposerBeat) -> None:
        standing = self.standing
        if not standing.believes(beat.term, beat.sender):
            if self.proposing is not None:
                self._emit(Send(beat.sender, self._beats.as_proposer(self.proposing, self._now_s)))
            return
        is_new = (beat.term, beat.sender) != (standing.term, standing.proposer)
        if is_new:
            self._follow(beat.term, beat.sender)
        standing.hear(beat.sender, self._now_s)
        standing.members = beat.members
        self._elapsed_s = beat.elapsed_s
        self._replica.hear(beat, is_new=is_new, now_s=self._now_s)
        if is_new:
            self._beats.connect((beat.sender, *beat.members))
            self._beat()

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
            self._recording.append,
            self._to_worker,
            self._note,
        )
        self.proposing.begin(self._now_s, elapsed_s, expected, patient)
        self._beat()
        self._beats.offer_at_once()
        self._beats.offer_now_and_then(self._now_s, closed=self.closed)

    def _rise(self, term: int, proposer: PeerId) -> None:
        if term != self.standing.term:
            self._emit(effects.SaveTerm(term))
        self.standing.follow(term, proposer, self._now_s)
        self._replica.follow(proposer, term)

    def _take_over_if_due(self) -> None:
        able = self._may_propose and self.slots and self.proposing is None
        if able and not self.closed and self._now_s >= self.standing.due_s():
            self._propose(patient=self.standing.is_new_here)

    def _lose(self, peer: PeerId, *, left: bool = False) -> None:
        self.standing.lose(peer, self._now_s)
        if self.proposing is not None:
            self.proposing.lose(peer, self._now_s, left=left)
        else:
            self._take_over_if_due()

    # -- the ledger

    def _take_page(self, page: messages.StudyLedgerPage) -> None:
        if self.proposing is not None or not self.standing.is_proposer(page.sender, page.term):
            return
        self.standing.hear(page.sender, self._now_s)
        for entry in self._replica.take(page):
            self._recording.took(entry)
        if self.closed and self.complete:
            self._beat()  # it waits for us to have all

    def _take_request(self, request: messages.StudyLedgerRequest) -> None:
        if self.proposing is not None or self.closed:
            self._replica.answer(request)

    def _take_gift(self, gift: messages.LedgerGift) -> None:
        if self.proposing is not None:
            self.proposing.take_gift(gift, self._now_s)

    # -- work

    def _take_news(self, news: messages.WorkerNews) -> None:
        if self.proposing is not None:
            self.proposing.take_news(news, self._now_s)

    def _to_worker(self, peer: PeerId, message: Event) -> None:
        if peer != self.me:
            self._emit(Send(peer, message))
        elif isinstance(message, messages.Leases):
            self._worker.take_leases(message)
        elif isinstance(message, messages.StopTrials):
            self._worker.take_stop(message)

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


_HANDLERS: dict[type[Event], Callable[[Search, Any], None]] = {
    effects.Started: Search._start,
    effects.SlotsChanged: Search._change_slots,
    effects.TrialReported: lambda search, event: search._worker.reported(event),
    effects.TrialFinished: lambda search, event: search._worker.finished(event),
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
    messages.Leases: lambda search, message: search._worker.take_leases(message),
    messages.StopTrials: lambda search, message: search._worker.take_stop(message),
    messages.WorkerNews: Search._take_news,
    messages.StudyLedgerPage: Search._take_page,
    messages.StudyLedgerRequest: Search._take_request,
    messages.LedgerGift: Search._take_gift,
    messages.CancelStudy: Search._take_cancel,
    messages.LeaveStudy: lambda search, message: search._lose(message.sender, left=True),
}
