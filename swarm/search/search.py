"""Search: the machine that takes part in one study, as worker, as coordinator or only watching.

`handle` looks up the handler of an event in the table at the end of this module. Handlers and the
parts they use return effects in the order in which the driver carries them out. After each event
`_send_what_is_due` adds what has waited: news, ledger pages, requests.
"""

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
from swarm.search.coordinator_role import CoordinatorRole
from swarm.search.coordinators import Coordinators
from swarm.search.effects import Note
from swarm.search.held_trials import HeldTrials
from swarm.search.ledger_writer import LedgerWriter
from swarm.search.outgoing_batches import BATCH, OutgoingBatches
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
        The ledger only grows; a trial's result in it is replaced only by that of a greater term.
        (term, coordinator) only goes up.
        A request to save something comes before everything that is sent because of it.
    """

    def __init__(
        self, me: PeerId, spec: StudySpec, load: Load | None = None, *, may_coordinate: bool = True
    ) -> None:
        self.me = me
        self.spec = spec
        self.ledger = StudyLedger(spec)
        self.coordinators = Coordinators(me, spec)
        self.coordinating: CoordinatorRole | None = None
        """This peer's term as coordinator; None while another peer coordinates, or none."""
        self._load = load
        self._may_coordinate = may_coordinate
        self._blobs = StudyBlobs(me, spec)
        self._held_trials = HeldTrials(me, spec.id, self._blobs)
        self._replica = Replica(me, self.ledger)
        self._heartbeats = StudyHeartbeats(me, spec, self.coordinators, self._replica)
        self._outgoing = OutgoingBatches(spec, self.coordinators, self._held_trials, self._replica)
        self._writer = LedgerWriter(
            me, self.ledger, self.coordinators, self._held_trials, self._blobs
        )
        self._worker = WorkerRole(
            me, self.coordinators, self._held_trials, self._blobs, self._writer
        )
        self._elapsed_s = 0.0
        self._now_s = 0.0
        self._will_ask = False
        self._cancels = False
        self._has_left = False

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine`."""
        self._now_s = now_s
        handler = _HANDLERS.get(type(event))
        is_ours = getattr(event, "study", self.spec.id) == self.spec.id
        if handler is None or not is_ours or self._has_left:
            return []
        asked = handler(self, event, now_s)
        return asked if self._has_left else asked + self._send_what_is_due(now_s)

    @property
    def slots(self) -> int:
        """Number of trials this peer can run at a time."""
        return self._worker.slots

    @property
    def held(self) -> tuple[str, ...]:
        """Trials leased to this peer whose results are not in the ledger."""
        return self._held_trials.ids

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
        """Whether the study is over and every known member has the whole ledger."""
        if self.coordinating is not None:
            return self.closed and self.coordinating.num_unsynced() == 0
        return self.closed and self.complete

    @property
    def workers(self) -> dict[PeerId, int]:
        """Slots by worker if this peer coordinates; otherwise 0 for each member."""
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

    def _on_started(self, event: effects.Started, now_s: float) -> list[Effect]:
        self._worker.slots = event.slots
        self.coordinators.begin(event.term, now_s)
        self._replica.follow(NOBODY, event.term)
        for entry in event.entries:
            self.ledger.add(entry)
        asked: list[Effect] = [Subscribe(study_topic(self.spec.id))]
        if event.contact is not None:
            asked += self._follow(event.term, event.coordinator or event.contact, now_s)
            asked += self._replica.request_page(0)
        if event.submits:
            asked += self._coordinate(now_s, patient=False)
        return [*asked, self._next_tick(now_s), *self._worker.fetch_data(now_s)]

    def _on_slots_changed(self, event: effects.SlotsChanged, now_s: float) -> list[Effect]:
        self._worker.slots = event.slots
        return self._worker.fetch_data(now_s) + self._heartbeat(now_s)

    def _on_leave_requested(self, _: effects.LeaveRequested, __: float) -> list[Effect]:
        self._has_left = True
        return [
            self._publish(messages.LeaveStudy(self.spec.id, self.me)),
            Unsubscribe(study_topic(self.spec.id)),
            *self._held_trials.release_all(),
        ]

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name == _TICK:
            return self._tick(now_s)
        if event.name == BATCH:
            return self._outgoing.end_wait()
        if event.name == _ASK:
            self._will_ask = False
            if self.coordinating is not None:
                return self.coordinating.ask_on(now_s)
        return []

    def _tick(self, now_s: float) -> list[Effect]:
        asked: list[Effect] = [self._next_tick(now_s)]
        if self._heartbeats.is_due(self.coordinating, now_s, closed=self.closed):
            asked += self._heartbeat(now_s)
        if self.coordinating is not None:
            asked += self.coordinating.tick(now_s)
            asked += self._heartbeats.offer_if_due(now_s, closed=self.closed)
        else:
            asked += self._take_over_if_due(now_s)
        asked += self._worker.fetch_data(now_s)
        if self._cancels and not self.closed:
            asked.append(self._publish(messages.CancelStudy(self.spec.id, self.me)))
        return asked

    def _send_what_is_due(self, now_s: float) -> list[Effect]:
        asked = self._outgoing.send_news(self.coordinating, now_s, self._worker.slots)
        if self.coordinating is not None:
            pages = self._outgoing.publish_pages(now_s, closed=self.closed)
            asked += pages
            if pages and self.closed:
                asked += self._heartbeat(now_s)
        asked += self._replica.read_on(now_s)
        if self.coordinating is not None and self.coordinating.is_behind and not self._will_ask:
            self._will_ask = True
            asked.append(SetTimer(_ASK, now_s))  # after the effects of this event
        return asked

    # -- heartbeats and offers

    def _heartbeat(self, now_s: float) -> list[Effect]:
        mine = self._worker.heartbeat(self._replica.has, may_coordinate=self._may_coordinate)
        return self._heartbeats.heartbeat(mine, self.coordinating, now_s)

    def _on_query(self, query: messages.StudyQuery, _: float) -> list[Effect]:
        if self.coordinating is None and not self.closed:
            return []
        return [Send(query.sender, self._heartbeats.offer(closed=self.closed))]

    def _on_worker_heartbeat(
        self, heartbeat: messages.WorkerHeartbeat, now_s: float
    ) -> list[Effect]:
        self.coordinators.note_heard(heartbeat.sender, now_s)
        if self.coordinating is None:
            return []
        is_new = heartbeat.sender not in self.coordinating.workers
        asked = self.coordinating.take_heartbeat(heartbeat, now_s)
        if is_new or heartbeat.term < self.coordinators.term:
            own = self._heartbeats.as_coordinator(self.coordinating, now_s)
            asked.append(Send(heartbeat.sender, own))
        return asked

    def _on_coordinator_heartbeat(
        self, heartbeat: messages.CoordinatorHeartbeat, now_s: float
    ) -> list[Effect]:
        coordinators, sender = self.coordinators, heartbeat.sender
        if not coordinators.believes(heartbeat.term, sender):
            if self.coordinating is None:
                return []
            return [Send(sender, self._heartbeats.as_coordinator(self.coordinating, now_s))]
        is_new = not coordinators.is_coordinator(sender, heartbeat.term)
        asked = self._follow(heartbeat.term, sender, now_s) if is_new else []
        coordinators.note_heard(sender, now_s)
        coordinators.note_members(heartbeat.members)
        self._elapsed_s = heartbeat.elapsed_s
        asked += self._replica.compare(heartbeat, is_new=is_new, now_s=now_s)
        if is_new:
            asked += self._heartbeats.keep_connected((sender, *heartbeat.members))
            asked += self._heartbeat(now_s)
        return asked

    # -- who coordinates

    def _follow(self, term: int, coordinator: PeerId, now_s: float) -> list[Effect]:
        asked: list[Effect] = []
        if self.coordinating is not None:
            asked.append(Note("stepped down", f"{coordinator} coordinates in term {term}"))
            self.coordinating = None
        return asked + self._enter_term(term, coordinator, now_s)

    def _coordinate(self, now_s: float, *, patient: bool) -> list[Effect]:
        """Begin a term of our own.

        Args:
            now_s: Now.
            patient: Whether there may be members that this peer does not know.
        """
        try:
            strategy = make_strategy(self.spec, self._load)
        except ValueError as error:  # a user's strategy that may not run here
            self._may_coordinate = False
            return [Note("cannot coordinate", str(error))]
        expected, elapsed_s = self.coordinators.others(), self.elapsed_s
        asked = self._enter_term(self.coordinators.term + 1, self.me, now_s)
        term = self.coordinators.term
        text = f"term {term}, {len(self.ledger.results)} results so far"
        asked.append(Note("coordinates", text))
        self.coordinating = CoordinatorRole(
            self.me, term, strategy, self._writer, self._blobs, self._worker
        )
        asked += self.coordinating.begin(now_s, elapsed_s, expected, patient)
        asked += self._heartbeat(now_s)
        return asked + self._heartbeats.offer_at_once(now_s, closed=self.closed)

    def _enter_term(self, term: int, coordinator: PeerId, now_s: float) -> list[Effect]:
        is_new = term != self.coordinators.term
        self.coordinators.follow(term, coordinator, now_s)
        self._replica.follow(coordinator, term)
        return [effects.SaveTerm(term)] if is_new else []

    def _take_over_if_due(self, now_s: float) -> list[Effect]:
        able = self._may_coordinate and self.slots and self.coordinating is None
        if able and not self.closed and now_s >= self.coordinators.due_s():
            return self._coordinate(now_s, patient=self.coordinators.is_new_here)
        return []

    def _lose(self, peer: PeerId, now_s: float, *, left: bool = False) -> list[Effect]:
        self.coordinators.note_lost(peer, now_s)
        if self.coordinating is not None:
            return self.coordinating.lose_worker(peer, now_s, left=left)
        return self._take_over_if_due(now_s)

    # -- the ledger

    def _on_page(self, page: messages.StudyLedgerPage, now_s: float) -> list[Effect]:
        is_followed = self.coordinators.is_coordinator(page.sender, page.term)
        if self.coordinating is not None or not is_followed:
            return []
        self.coordinators.note_heard(page.sender, now_s)
        asked: list[Effect] = []
        for entry in self._replica.take_page(page):
            asked += self._writer.follow_up(entry)
        if self.closed and self.complete:
            asked += self._heartbeat(now_s)  # the coordinator waits until all members have all
        return asked

    def _on_page_request(self, request: messages.StudyLedgerRequest, _: float) -> list[Effect]:
        if self.coordinating is None and not self.closed:
            return []
        return self._replica.answer(request)

    # -- blobs

    def _on_blob_arrived(self, event: BlobArrived, now_s: float) -> list[Effect]:
        had_data = self._blobs.data_is_here
        asked = self._blobs.take_blob(event.blob)
        if self._blobs.data_is_here and not had_data:
            asked += self._heartbeat(now_s)  # now this peer can work
        return asked + self._held_trials.resume_from(event.blob)

    # -- cancelling

    def _on_cancel_requested(self, _: effects.CancelRequested, __: float) -> list[Effect]:
        self._cancels = True
        if self.coordinating is not None:
            return self.coordinating.cancel()
        return [self._publish(messages.CancelStudy(self.spec.id, self.me))]

    def _publish(self, message: Event) -> Effect:
        return Publish(study_topic(self.spec.id), message)

    def _next_tick(self, now_s: float) -> Effect:
        return SetTimer(_TICK, now_s + self.spec.heartbeat_s / TICKS_PER_HEARTBEAT)


def _to_coordinator(
    take: Callable[[CoordinatorRole, Any, float], list[Effect]],
) -> Callable[[Search, Any, float], list[Effect]]:
    """A handler for messages that only a coordinator takes."""
    return lambda search, event, now_s: (
        take(search.coordinating, event, now_s) if search.coordinating is not None else []
    )


def _heard(search: Search, event: PeerConnected, now_s: float) -> list[Effect]:
    search.coordinators.note_heard(event.peer, now_s)
    return []


_HANDLERS: dict[type[Event], Callable[[Search, Any, float], list[Effect]]] = {
    effects.Started: Search._on_started,
    effects.SlotsChanged: Search._on_slots_changed,
    effects.TrialReported: lambda search, event, _: search._worker.take_report(event),
    effects.TrialFinished: lambda search, event, _: search._worker.take_result(event),
    effects.CancelRequested: Search._on_cancel_requested,
    effects.LeaveRequested: Search._on_leave_requested,
    TimerFired: Search._on_timer,
    PeerConnected: _heard,
    PeerUnreachable: lambda search, event, now_s: search._lose(event.peer, now_s),
    BlobArrived: Search._on_blob_arrived,
    BlobMissing: lambda search, event, _: search._held_trials.restart_without(event.blob),
    messages.StudyQuery: Search._on_query,
    messages.CoordinatorHeartbeat: Search._on_coordinator_heartbeat,
    messages.WorkerHeartbeat: Search._on_worker_heartbeat,
    messages.Leases: lambda search, message, _: search._worker.take_leases(message),
    messages.StopTrials: lambda search, message, _: search._worker.take_stop(message),
    messages.WorkerNews: _to_coordinator(CoordinatorRole.take_news),
    messages.StudyLedgerPage: Search._on_page,
    messages.StudyLedgerRequest: Search._on_page_request,
    messages.MissingEntries: _to_coordinator(CoordinatorRole.take_missing_entries),
    messages.CancelStudy: _to_coordinator(lambda role, *_: role.cancel()),
    messages.LeaveStudy: lambda search, message, now_s: search._lose(
        message.sender, now_s, left=True
    ),
}
