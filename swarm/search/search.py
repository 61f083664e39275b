"""Search: the machine that takes part in one study, as worker, coordinator, or looking on."""

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
from swarm.search.coordinating import Coordinating
from swarm.search.coordinators import Coordinators
from swarm.search.leased_trials import Working
from swarm.search.outgoing import BATCH, Outgoing
from swarm.search.recording import Recording
from swarm.search.replica import Replica
from swarm.search.strategies import Load, make_strategy
from swarm.search.study import NOBODY, StudySpec
from swarm.search.study_blobs import StudyBlobs
from swarm.search.study_heartbeats import StudyHeartbeats
from swarm.search.study_ledger import StudyLedger
from swarm.search.topics import study_topic
from swarm.search.worker_role import WorkerRole

TICKS_PER_HEARTBEAT = 4
_TICK, _ASK = "tick", "ask"


class Search:
    """One peer's part in one study.

    Invariants:
        The ledger only grows; a trial's result in it changes only to that of a greater term.
        (term, coordinator) only goes up.
        What is sent was asked to be saved before.
    """

    def __init__(
        self, me: PeerId, spec: StudySpec, load: Load | None = None, *, may_coordinate: bool = True
    ) -> None:
        self.me = me
        self.spec = spec
        self.ledger = StudyLedger(spec)
        self.coordinators = Coordinators(me, spec)
        self.coordinating: Coordinating | None = None
        self._load = load
        self._may_coordinate = may_coordinate
        self._effects: list[Effect] = []
        self._blobs = StudyBlobs(me, spec, self._emit)
        self._working = Working(me, spec.id, self._blobs, self._emit)
        self._replica = Replica(me, self.ledger, self._emit)
        self._heartbeats = StudyHeartbeats(me, spec, self.coordinators, self._replica, self._emit)
        self._outgoing = Outgoing(
            spec, self.coordinators, self._working, self._replica, self._emit
        )
        self._recording = Recording(
            me, self.ledger, self.coordinators, self._working, self._blobs, self._emit
        )
        self._worker = WorkerRole(
            me, self.ledger, self.coordinators, self._working, self._blobs, self._recording
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
        """Whether the ledger here equals the coordinator's."""
        return self._replica.is_complete

    @property
    def settled(self) -> bool:
        """Whether the study is over and every member known has the whole ledger."""
        if self.coordinating is not None:
            return self.closed and self.coordinating.num_unsynced() == 0
        return self.closed and self.complete

    @property
    def workers(self) -> dict[PeerId, int]:
        """Slots by worker if this peer coordinates; else members, with their slots unknown."""
        if self.coordinating is not None:
            return {peer: slots for peer, slots in self.coordinating.workers.items() if slots}
        return dict.fromkeys(self.coordinators.members, 0)

    @property
    def elapsed_s(self) -> float:
        """How long the study has been running, as of the last event."""
        if self.coordinating is not None:
            return self.coordinating.elapsed_s(self._now_s)
        return self._elapsed_s + self.coordinators.silent_s(self._now_s)

    # -- life

    def _start(self, event: effects.Started) -> None:
        self._worker.slots = event.slots
        self.coordinators.begin(event.term, self._now_s)
        self._replica.follow(NOBODY, event.term)
        for entry in event.entries:
            self.ledger.add(entry)
        self._emit(Subscribe(study_topic(self.spec.id)))
        if event.contact is not None:
            self._follow(event.term, event.coordinator or event.contact)
            self._replica.request(0)
        if event.submits:
            self._coordinate(patient=False)
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
            if self.coordinating is not None:
                self.coordinating.ask_on(self._now_s)
        elif event.name == BATCH:
            self._outgoing.batch_is_due()

    def _tick(self) -> None:
        self._set_tick()
        if self._heartbeats.is_due(self.coordinating, self._now_s, closed=self.closed):
            self._beat()
        if self.coordinating is not None:
            self.coordinating.tick(self._now_s)
            self._heartbeats.offer_now_and_then(self._now_s, closed=self.closed)
        else:
            self._take_over_if_due()
        self._worker.fetch_data(self._now_s)
        if self._cancels and not self.closed:
            self._publish(messages.CancelStudy(self.spec.id, self.me))

    def _tell_what_is_due(self) -> None:
        self._outgoing.tell_news(self.coordinating, self._now_s, self._worker.slots)
        if self.coordinating is not None:
            published = self._outgoing.publish_pages(self._now_s, closed=self.closed)
            if published and self.closed:
                self._beat()
        self._replica.read_on(self._now_s)
        if self.coordinating is not None and self.coordinating.is_behind and not self._is_to_ask:
            self._is_to_ask = True
            self._emit(SetTimer(_ASK, self._now_s))  # once what was just decided has been done

    # -- beats and offers

    def _beat(self) -> None:
        mine = self._worker.heartbeat(self._replica.has, may_coordinate=self._may_coordinate)
        self._heartbeats.heartbeat(mine, self.coordinating, self._now_s)

    def _take_query(self, query: messages.StudyQuery) -> None:
        if self.coordinating is not None or self.closed:
            self._emit(Send(query.sender, self._heartbeats.offer(closed=self.closed)))

    def _take_worker_heartbeat(self, heartbeat: messages.WorkerHeartbeat) -> None:
        self.coordinators.hear(heartbeat.sender, self._now_s)
        if self.coordinating is None:
            return
        is_news = heartbeat.sender not in self.coordinating.workers
        self.coordinating.take_heartbeat(heartbeat, self._now_s)
        if is_news or heartbeat.term < self.coordinators.term:
            self._emit(
                Send(
                    heartbeat.sender,
                    self._heartbeats.as_coordinator(self.coordinating, self._now_s),
                )
            )

    def _take_coordinator_beat(self, heartbeat: messages.CoordinatorHeartbeat) -> None:
        coordinators = self.coordinators
        if not coordinators.believes(heartbeat.term, heartbeat.sender):
            if self.coordinating is not None:
                self._emit(
                    Send(
                        heartbeat.sender,
                        self._heartbeats.as_coordinator(self.coordinating, self._now_s),
                    )
                )
            return
        is_new = (heartbeat.term, heartbeat.sender) != (
            coordinators.term,
            coordinators.coordinator,
        )
        if is_new:
            self._follow(heartbeat.term, heartbeat.sender)
        coordinators.hear(heartbeat.sender, self._now_s)
        coordinators.members = heartbeat.members
        self._elapsed_s = heartbeat.elapsed_s
        self._replica.hear(heartbeat, is_new=is_new, now_s=self._now_s)
        if is_new:
            self._heartbeats.connect((heartbeat.sender, *heartbeat.members))
            self._beat()

    # -- who coordinates

    def _follow(self, term: int, coordinator: PeerId) -> None:
        if self.coordinating is not None:
            self._note("stepped down", f"{coordinator} coordinates in term {term}")
            self.coordinating = None
        self._rise(term, coordinator)

    def _coordinate(self, *, patient: bool) -> None:
        """Begin a term of our own.

        Args:
            patient: Whether others may be there that we do not know of.
        """
        try:
            strategy = make_strategy(self.spec, self._load)
        except ValueError as error:  # somebody's code, which may not run here
            self._may_coordinate = False
            self._note("cannot coordinate", str(error))
            return
        expected, elapsed_s = self.coordinators.others(), self.elapsed_s
        self._rise(self.coordinators.term + 1, self.me)
        term = self.coordinators.term
        self._note("coordinates", f"term {term}, {len(self.ledger.results)} results so far")
        self.coordinating = Coordinating(
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
        self.coordinating.begin(self._now_s, elapsed_s, expected, patient)
        self._beat()
        self._heartbeats.offer_at_once()
        self._heartbeats.offer_now_and_then(self._now_s, closed=self.closed)

    def _rise(self, term: int, coordinator: PeerId) -> None:
        if term != self.coordinators.term:
            self._emit(effects.SaveTerm(term))
        self.coordinators.follow(term, coordinator, self._now_s)
        self._replica.follow(coordinator, term)

    def _take_over_if_due(self) -> None:
        able = self._may_coordinate and self.slots and self.coordinating is None
        if able and not self.closed and self._now_s >= self.coordinators.due_s():
            self._coordinate(patient=self.coordinators.is_new_here)

    def _lose(self, peer: PeerId, *, left: bool = False) -> None:
        self.coordinators.lose(peer, self._now_s)
        if self.coordinating is not None:
            self.coordinating.lose(peer, self._now_s, left=left)
        else:
            self._take_over_if_due()

    # -- the ledger

    def _take_page(self, page: messages.StudyLedgerPage) -> None:
        if self.coordinating is not None or not self.coordinators.is_coordinator(
            page.sender, page.term
        ):
            return
        self.coordinators.hear(page.sender, self._now_s)
        for entry in self._replica.take(page):
            self._recording.took(entry)
        if self.closed and self.complete:
            self._beat()  # it waits for us to have all

    def _take_request(self, request: messages.StudyLedgerRequest) -> None:
        if self.coordinating is not None or self.closed:
            self._replica.answer(request)

    def _take_missing_entries(self, missing: messages.MissingEntries) -> None:
        if self.coordinating is not None:
            self.coordinating.take_missing_entries(missing, self._now_s)

    # -- work

    def _take_news(self, news: messages.WorkerNews) -> None:
        if self.coordinating is not None:
            self.coordinating.take_news(news, self._now_s)

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
        if self.coordinating is not None:
            self.coordinating.cancel()
        else:
            self._publish(messages.CancelStudy(self.spec.id, self.me))

    def _take_cancel(self, _: messages.CancelStudy) -> None:
        if self.coordinating is not None:
            self.coordinating.cancel()

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
    PeerConnected: lambda search, event: search.coordinators.hear(event.peer, search._now_s),
    PeerUnreachable: lambda search, event: search._lose(event.peer),
    BlobArrived: Search._take_blob,
    BlobMissing: Search._take_missing,
    messages.StudyQuery: Search._take_query,
    messages.CoordinatorHeartbeat: Search._take_coordinator_beat,
    messages.WorkerHeartbeat: Search._take_worker_heartbeat,
    messages.Leases: lambda search, message: search._worker.take_leases(message),
    messages.StopTrials: lambda search, message: search._worker.take_stop(message),
    messages.WorkerNews: Search._take_news,
    messages.StudyLedgerPage: Search._take_page,
    messages.StudyLedgerRequest: Search._take_request,
    messages.MissingEntries: Search._take_missing_entries,
    messages.CancelStudy: Search._take_cancel,
    messages.LeaveStudy: lambda search, message: search._lose(message.sender, left=True),
}
