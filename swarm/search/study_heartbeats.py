"""StudyHeartbeats: shows that this peer is alive, and offers its study to peers that listen."""

from swarm.core.effects import KeepConnected, Publish, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search import messages
from swarm.search.coordinator_role import CoordinatorRole
from swarm.search.coordinators import Coordinators
from swarm.search.replica import Replica
from swarm.search.study import NOBODY, StudySpec
from swarm.search.topics import SEARCH_TOPIC, study_topic

OFFER_EVERY_HEARTBEATS = 3
CLOSED_HEARTBEATS = 5
"""A study that is over has its heartbeats and offers this many times less often."""
CONNECTIONS_MAX = 16


class StudyHeartbeats:
    """Sends heartbeats as a worker or as the coordinator, and keeps the connections they need.

    Invariant: a change of the members is published at once, not only with the next heartbeat.
    """

    def __init__(
        self, me: PeerId, spec: StudySpec, coordinators: Coordinators, replica: Replica
    ) -> None:
        self._me = me
        self._spec = spec
        self._coordinators = coordinators
        self._replica = replica
        self._heartbeat_s = float("-inf")
        self._offered_s = float("-inf")

    def is_due(self, coordinating: CoordinatorRole | None, now_s: float, *, closed: bool) -> bool:
        """Whether a heartbeat is due, or the members have changed since the last one."""
        spacing_s = self._spec.heartbeat_s * (CLOSED_HEARTBEATS if closed else 1)
        if now_s >= self._heartbeat_s + spacing_s:
            return True
        return coordinating is not None and coordinating.members() != self._coordinators.members

    def heartbeat(
        self, mine: messages.WorkerHeartbeat, coordinating: CoordinatorRole | None, now_s: float
    ) -> list[Effect]:
        """Send a heartbeat.

        A worker sends it to the coordinator, or publishes it while it knows none: the coordinator
        answers with its own. A coordinator takes the heartbeat of its own worker and publishes
        its own.
        """
        self._heartbeat_s = now_s
        topic = study_topic(self._spec.id)
        if coordinating is not None:
            effects = coordinating.take_heartbeat(mine, now_s)
            self._coordinators.note_members(coordinating.members())
            effects.append(Publish(topic, self.as_coordinator(coordinating, now_s)))
            workers = (peer for peer, slots in coordinating.workers.items() if slots)
            return effects + self.keep_connected(tuple(workers))
        if self._coordinators.coordinator != NOBODY:
            return [Send(self._coordinators.coordinator, mine)]
        return [Publish(topic, mine)]

    def as_coordinator(
        self, coordinating: CoordinatorRole, now_s: float
    ) -> messages.CoordinatorHeartbeat:
        """The coordinator's heartbeat: who coordinates, and the state of its ledger."""
        return messages.CoordinatorHeartbeat(
            self._spec.id,
            self._me,
            self._coordinators.term,
            *self._replica.has,
            coordinating.elapsed_s(now_s),
            coordinating.members(),
            coordinating.num_unsynced(),
        )

    def offer_at_once(self, now_s: float, *, closed: bool) -> list[Effect]:
        """As the coordinator: offer the study to all peers that listen."""
        self._offered_s = now_s
        return [Publish(SEARCH_TOPIC, self.offer(closed=closed))]

    def offer_if_due(self, now_s: float, *, closed: bool) -> list[Effect]:
        """As the coordinator: offer the study every few heartbeats."""
        num_heartbeats = OFFER_EVERY_HEARTBEATS * (CLOSED_HEARTBEATS if closed else 1)
        if now_s < self._offered_s + num_heartbeats * self._spec.heartbeat_s:
            return []
        return self.offer_at_once(now_s, closed=closed)

    def offer(self, *, closed: bool) -> messages.StudyOffer:
        """The study, for peers that may join it."""
        return messages.StudyOffer(self._me, self._spec, self._coordinators.term, self._me, closed)

    def keep_connected(self, peers: tuple[PeerId, ...]) -> list[Effect]:
        """Keep connections with the first of these peers."""
        first = [peer for peer in dict.fromkeys(peers) if peer != self._me][:CONNECTIONS_MAX]
        return [KeepConnected(tuple(first))]
