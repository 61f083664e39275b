"""StudyHeartbeats: how a peer is heard to be there, and how its study is offered to others."""

from collections.abc import Callable

from swarm.core.effects import KeepConnected, Publish, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search import messages
from swarm.search.coordinating import Coordinating
from swarm.search.coordinators import Coordinators
from swarm.search.replica import Replica
from swarm.search.study import NOBODY, StudySpec
from swarm.search.topics import SEARCH_TOPIC, study_topic

OFFER_EVERY_HEARTBEATS = 3
CLOSED_HEARTBEATS = 5
"""A study that is over is told of so many times less often."""
CONNECTIONS_MAX = 16


class StudyHeartbeats:
    """Beats as a worker or as the coordinator, and keeps connections with those that matter.

    Invariant: members are told when they change, not only when a beat is due.
    """

    def __init__(
        self,
        me: PeerId,
        spec: StudySpec,
        coordinators: Coordinators,
        replica: Replica,
        emit: Callable[[Effect], None],
    ) -> None:
        self._me = me
        self._spec = spec
        self._coordinators = coordinators
        self._replica = replica
        self._emit = emit
        self._heartbeat_s = float("-inf")
        self._offered_s = float("-inf")

    def is_due(self, coordinating: Coordinating | None, now_s: float, *, closed: bool) -> bool:
        """Whether it is time, or those who may succeed us do not know of each other yet."""
        spacing_s = self._spec.heartbeat_s * (CLOSED_HEARTBEATS if closed else 1)
        if now_s >= self._heartbeat_s + spacing_s:
            return True
        return coordinating is not None and coordinating.members() != self._coordinators.members

    def heartbeat(
        self, mine: messages.WorkerHeartbeat, coordinating: Coordinating | None, now_s: float
    ) -> None:
        """Tell the coordinator, or, as the coordinator, everybody, that this peer is there."""
        self._heartbeat_s = now_s
        if coordinating is not None:
            coordinating.take_heartbeat(mine, now_s)
            self._coordinators.members = coordinating.members()
            heartbeat = self.as_coordinator(coordinating, now_s)
            self._emit(Publish(study_topic(self._spec.id), heartbeat))
            self.connect(tuple(peer for peer, slots in coordinating.workers.items() if slots))
        elif self._coordinators.coordinator != NOBODY:
            self._emit(Send(self._coordinators.coordinator, mine))
        else:  # whoever coordinates hears it, and answers with its own
            self._emit(Publish(study_topic(self._spec.id), mine))

    def as_coordinator(
        self, coordinating: Coordinating, now_s: float
    ) -> messages.CoordinatorHeartbeat:
        """What tells a peer who coordinates, and what the ledger holds."""
        return messages.CoordinatorHeartbeat(
            self._spec.id,
            self._me,
            self._coordinators.term,
            *self._replica.has,
            coordinating.elapsed_s(now_s),
            coordinating.members(),
            coordinating.num_unsynced(),
        )

    def offer_now_and_then(self, now_s: float, *, closed: bool) -> None:
        """As the coordinator: offer the study to all who listen."""
        beats = OFFER_EVERY_HEARTBEATS * (CLOSED_HEARTBEATS if closed else 1)
        if now_s >= self._offered_s + beats * self._spec.heartbeat_s:
            self._offered_s = now_s
            self._emit(Publish(SEARCH_TOPIC, self.offer(closed=closed)))

    def offer_at_once(self) -> None:
        """Do not wait with the next offer."""
        self._offered_s = float("-inf")

    def offer(self, *, closed: bool) -> messages.StudyOffer:
        """The study, for those that may join it."""
        return messages.StudyOffer(self._me, self._spec, self._coordinators.term, self._me, closed)

    def connect(self, peers: tuple[PeerId, ...]) -> None:
        """Keep connections with the first of these peers."""
        first = [peer for peer in dict.fromkeys(peers) if peer != self._me][:CONNECTIONS_MAX]
        self._emit(KeepConnected(tuple(first)))
