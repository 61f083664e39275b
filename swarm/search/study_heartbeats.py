"""Beats: how a peer is heard to be there, and how its study is offered to others."""

from collections.abc import Callable

from swarm.core.effects import KeepConnected, Publish, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search import messages
from swarm.search.coordinating import Proposing
from swarm.search.coordinators import Standing
from swarm.search.replica import Replica
from swarm.search.study import NOBODY, StudySpec
from swarm.search.topics import SEARCH_TOPIC, study_topic

OFFER_EVERY_HEARTBEATS = 3
CLOSED_BEATS = 5
"""A study that is over is told of so many times less often."""
CONNECTIONS_MAX = 16


class Beats:
    """Beats as a worker or as the proposer, and keeps connections with those that matter.

    Invariant: members are told when they change, not only when a beat is due.
    """

    def __init__(
        self,
        me: PeerId,
        spec: StudySpec,
        standing: Standing,
        replica: Replica,
        emit: Callable[[Effect], None],
    ) -> None:
        self._me = me
        self._spec = spec
        self._standing = standing
        self._replica = replica
        self._emit = emit
        self._beat_s = float("-inf")
        self._offered_s = float("-inf")

    def is_due(self, proposing: Proposing | None, now_s: float, *, closed: bool) -> bool:
        """Whether it is time, or those who may succeed us do not know of each other yet."""
        spacing_s = self._spec.heartbeat_s * (CLOSED_BEATS if closed else 1)
        if now_s >= self._beat_s + spacing_s:
            return True
        return proposing is not None and proposing.members() != self._standing.members

    def beat(self, mine: messages.WorkerBeat, proposing: Proposing | None, now_s: float) -> None:
        """Tell the proposer, or, as the proposer, everybody, that this peer is there."""
        self._beat_s = now_s
        if proposing is not None:
            proposing.take_beat(mine, now_s)
            self._standing.members = proposing.members()
            beat = self.as_proposer(proposing, now_s)
            self._emit(Publish(study_topic(self._spec.id), beat))
            self.connect(tuple(peer for peer, slots in proposing.workers.items() if slots))
        elif self._standing.proposer != NOBODY:
            self._emit(Send(self._standing.proposer, mine))
        else:  # whoever proposes hears it, and answers with its own
            self._emit(Publish(study_topic(self._spec.id), mine))

    def as_proposer(self, proposing: Proposing, now_s: float) -> messages.ProposerBeat:
        """What tells a peer who proposes, and what the ledger holds."""
        return messages.ProposerBeat(
            self._spec.id,
            self._me,
            self._standing.term,
            *self._replica.has,
            proposing.elapsed_s(now_s),
            proposing.members(),
            proposing.num_unsynced(),
        )

    def offer_now_and_then(self, now_s: float, *, closed: bool) -> None:
        """As the proposer: offer the study to all who listen."""
        beats = OFFER_EVERY_HEARTBEATS * (CLOSED_BEATS if closed else 1)
        if now_s >= self._offered_s + beats * self._spec.heartbeat_s:
            self._offered_s = now_s
            self._emit(Publish(SEARCH_TOPIC, self.offer(closed=closed)))

    def offer_at_once(self) -> None:
        """Do not wait with the next offer."""
        self._offered_s = float("-inf")

    def offer(self, *, closed: bool) -> messages.StudyOffer:
        """The study, for those that may join it."""
        return messages.StudyOffer(self._me, self._spec, self._standing.term, self._me, closed)

    def connect(self, peers: tuple[PeerId, ...]) -> None:
        """Keep connections with the first of these peers."""
        first = [peer for peer in dict.fromkeys(peers) if peer != self._me][:CONNECTIONS_MAX]
        self._emit(KeepConnected(tuple(first)))
