"""Heartbeats: which topics this peer listens to, and how it shows that it is alive."""

from swarm.core.effects import Publish, Subscribe, Unsubscribe
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.core.session import SessionSpec
from swarm.federation.efforts import Progress
from swarm.federation.lineage import Lineage
from swarm.federation.messages import Goodbye, Heartbeat
from swarm.federation.records import GlobalModel
from swarm.federation.round import Round
from swarm.federation.topics import session_topic
from swarm.federation.tree import duty_peers
from swarm.federation.validity import tree_of

SESSION_HEARTBEAT_EVERY_REPEATS = 3
"""All peers hear a session heartbeat, but only those that missed an announcement need it."""


class Heartbeats:
    """Subscribes to the clusters of the round, and sends heartbeats in them.

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
        """Listen to the clusters of the round and to `more`, and to nothing else."""
        topics = current.topics if current is not None else ()
        wanted = tuple(dict.fromkeys((*topics, *more)))
        effects: list[Effect] = [Subscribe(t) for t in wanted if t not in self.topics]
        effects += [Unsubscribe(t) for t in self.topics if t not in wanted]
        self.topics = wanted
        return effects

    def listen_ahead(self, head: GlobalModel, current: Round | None, now_s: float) -> list[Effect]:
        """Listen and send heartbeats in the clusters of a head whose weights are on their way."""
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

    def cluster_heartbeats(self, current: Round | None, progress: Progress = ()) -> list[Effect]:
        """Send a heartbeat to each cluster.

        Not on a topic whose listeners all hear this peer on another one.
        """
        covered = current.covered_topics if current is not None else frozenset()
        heartbeat = self._heartbeat(progress)
        return [Publish(topic, heartbeat) for topic in self.topics if topic not in covered]

    def session_heartbeat(self) -> list[Effect]:
        """Announce the held head to the whole session now and then, for peers that missed it.

        Such peers may listen on the topics of an older cohort, where no other peer is left. The
        head's author sends the heartbeat, and so do the first of the next root's succession in
        case it is gone.
        """
        self._num_repeats += 1
        self._session_heartbeat_due = (
            self._session_heartbeat_due or not self._num_repeats % SESSION_HEARTBEAT_EVERY_REPEATS
        )
        head, before = self._lineage.held, self._repeated_on
        self._repeated_on = head
        # A head just adopted is still being announced. Peers that heard this heartbeat before the
        # announcement would all ask for the head.
        if head is None or head is not before or not self._session_heartbeat_due:
            return []
        self._session_heartbeat_due = False
        root = tree_of(head, self._spec).root
        if self._me not in (head.author, *duty_peers(head.digest, root, frozenset(head.slow))):
            return []
        return [Publish(session_topic(self._spec.id), self._heartbeat())]

    def goodbye(self, reason: str) -> list[Effect]:
        """Say goodbye on all topics."""
        goodbye = Goodbye(self._spec.id, self._me, reason)
        topics = dict.fromkeys((session_topic(self._spec.id), *self.topics))
        return [Publish(topic, goodbye) for topic in topics]

    def _heartbeat(self, progress: Progress = ()) -> Heartbeat:
        held = self._lineage.held
        key = held.key if held is not None else None
        return Heartbeat(self._spec.id, self._me, key, progress)
