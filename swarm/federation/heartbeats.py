"""Heartbeats: where this peer listens, and how it is heard to be alive."""

from swarm.core.effects import Publish, Subscribe, Unsubscribe
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.core.session import SessionSpec
from swarm.federation.lineage import Lineage
from swarm.federation.messages import Goodbye, Heartbeat
from swarm.federation.records import GlobalModel
from swarm.federation.round import Round
from swarm.federation.topics import session_topic
from swarm.federation.tree import duty_peers
from swarm.federation.validity import tree_of

SESSION_HEARTBEAT_EVERY_REPEATS = 3
"""Only who missed an announcement needs the beacon; everybody hears it."""


class Heartbeats:
    """Subscribes to the clusters of the round, and beats in them.

    Invariant: listens to exactly the topics it last asked for.
    """

    def __init__(self, me: PeerId, spec: SessionSpec, lineage: Lineage) -> None:
        self._me = me
        self._spec = spec
        self._lineage = lineage
        self.topics: tuple[str, ...] = ()
        """Topics listened to, besides the session's."""
        self._listening_ahead: GlobalModel | None = None
        self._num_repeats = 0
        self._session_heartbeat_due = False
        self._repeated_on: GlobalModel | None = None
        """The head that was held at the last repetition."""

    def listen(self, current: Round | None, more: tuple[str, ...] = ()) -> list[Effect]:
        """Listen to the clusters of the round, to `more`, and to nothing else."""
        topics = current.topics if current is not None else ()
        wanted = tuple(dict.fromkeys((*topics, *more)))
        effects: list[Effect] = [Subscribe(t) for t in wanted if t not in self.topics]
        effects += [Unsubscribe(t) for t in self.topics if t not in wanted]
        self.topics = wanted
        return effects

    def listen_ahead(self, head: GlobalModel, current: Round | None, now_s: float) -> list[Effect]:
        """Be heard in the clusters of a head whose weights are on their way, however long."""
        if head is self._listening_ahead:
            return []
        self._listening_ahead = head
        before = self.topics
        topics: tuple[str, ...] = ()
        if self._me in head.members:
            topics = Round(self._lineage.window(head), self._spec, self._me, now_s).topics
        effects = self.listen(current, topics)
        new = [topic for topic in self.topics if topic not in before]
        return effects + [Publish(topic, self._heartbeat()) for topic in new]

    def heartbeats(self, current: Round | None) -> list[Effect]:
        """Tell the neighbours that this peer is alive; not twice where all listen one tier up."""
        covered = current.covered_topics if current is not None else frozenset()
        return [Publish(topic, self._heartbeat()) for topic in self.topics if topic not in covered]

    def session_heartbeat(self) -> list[Effect]:
        """Tell the whole session of the held head now and then, for those that missed it.

        They may listen on the topics of an older cohort, where nobody else is left. The head's
        author does it, and the first of the next root's succession in case it is gone.
        """
        self._num_repeats += 1
        self._session_heartbeat_due = (
            self._session_heartbeat_due or not self._num_repeats % SESSION_HEARTBEAT_EVERY_REPEATS
        )
        head, before = self._lineage.held, self._repeated_on
        self._repeated_on = head
        # A head just adopted is being announced: all whom a beacon reaches first would ask for it.
        if head is None or head is not before or not self._session_heartbeat_due:
            return []
        self._session_heartbeat_due = False
        root = tree_of(head, self._spec).root
        if self._me not in (head.author, *duty_peers(head.digest, root, frozenset(head.slow))):
            return []
        return [Publish(session_topic(self._spec.id), self._heartbeat())]

    def goodbye(self, reason: str) -> list[Effect]:
        """Tell everybody who listens that this peer leaves."""
        goodbye = Goodbye(self._spec.id, self._me, reason)
        topics = dict.fromkeys((session_topic(self._spec.id), *self.topics))
        return [Publish(topic, goodbye) for topic in topics]

    def _heartbeat(self) -> Heartbeat:
        held = self._lineage.held
        return Heartbeat(self._spec.id, self._me, held.key if held is not None else None)
