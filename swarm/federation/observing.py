"""Observation: what a peer that only watches makes of what it hears."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from swarm.core.effects import PeerConnected, PeerUnreachable, Send, Subscribe, Unsubscribe
from swarm.core.ids import Digest, PeerId, RoundNumber
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.effects import Started
from swarm.federation.lineage import Lineage
from swarm.federation.messages import (
    HISTORY_MAX,
    Aggregate,
    Contribution,
    GlobalModel,
    Goodbye,
    HeadHistory,
    HeadKey,
    HeadRequest,
    Heartbeat,
    JoinWish,
    Metrics,
    Status,
)
from swarm.federation.topics import cluster_topic, session_topic, status_topic
from swarm.federation.tree import Cluster, Tree, succession
from swarm.federation.validity import InvalidRecordError, tree_of

SUSPECT_AFTER_S = 4.0
LOST_AFTER_S = 8.0
FORGOTTEN_AFTER_S = 120.0
FLOW_SHOWN_S = 5.0
FLOWS_MAX = 256
OCCURRENCES_MAX = 200
PEERS_MAX = 1024
TOPICS_MAX = 256
"""Most cluster topics an observer listens to; in a larger swarm it sees the first ones."""
ASK_AGAIN = "observing.ask_again"
ASK_AGAIN_EVERY_S = 2.0


@dataclass(slots=True)
class Sighting:
    """What is known of one peer."""

    heard_s: float
    status: Status | None = None
    gone: str = ""
    """`lost` or `left` when the connection closed or the peer said goodbye."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Weights that were announced to go from one peer to another."""

    seq: int
    source: PeerId
    target: PeerId
    kind: str
    size_bytes: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One line of the log."""

    seq: int
    at_s: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """Test accuracy and loss of one round's global model."""

    round: RoundNumber
    accuracy: float
    loss: float


class Observation:
    """Follows a session from its messages; takes part in nothing.

    Invariants:
        Never publishes, and sends nothing but requests for heads.
        Everything it remembers is bounded.
    """

    def __init__(self, me: PeerId, spec: SessionSpec) -> None:
        self.me = me
        self.spec = spec
        self.lineage = Lineage(spec)
        self.sightings: dict[PeerId, Sighting] = {}
        self.flows: deque[Flow] = deque(maxlen=FLOWS_MAX)
        self.occurrences: deque[Occurrence] = deque(maxlen=OCCURRENCES_MAX)
        self.past: dict[Digest, GlobalModel] = {}
        """Ancestors of the first head seen, believed because each is named by its child."""
        self.acting: dict[str, PeerId] = {}
        """Who announced an aggregate, by cluster, in this round."""
        self.contributed: set[PeerId] = set()
        self._session = spec.id
        self._topics: set[str] = set()
        self._announced: set[Digest] = set()
        self._requested: set[Digest] = set()
        self._asked: dict[PeerId, None] = {}
        self._num_flows = 0
        self._num_occurrences = 0

    @property
    def head(self) -> GlobalModel | None:
        """The greatest head heard of."""
        return self.lineage.held

    @property
    def tree(self) -> Tree | None:
        """The tree of the round now under way."""
        return tree_of(self.head, self.spec) if self.head is not None else None

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine.Machine.handle`."""
        handler = _HANDLERS.get(type(event))
        if handler is None or getattr(event, "session", self._session) != self._session:
            return []
        try:
            return handler(self, event, now_s)
        except InvalidRecordError as error:
            self._log("rejected", f"{type(event).__name__}: {error}", now_s)
            return []

    def state_of(self, peer: PeerId, now_s: float) -> str:
        """`alive`, `suspect`, `lost` or `left`."""
        sighting = self.sightings.get(peer)
        if sighting is None:
            return "suspect"
        silent_s = now_s - sighting.heard_s
        if sighting.gone:
            return sighting.gone
        if silent_s >= LOST_AFTER_S:
            return "lost"
        return "suspect" if silent_s >= SUSPECT_AFTER_S else "alive"

    def aggregator_of(self, cluster: Cluster, now_s: float) -> PeerId:
        """Who aggregates a cluster now: who announced, or the first not lost in its succession."""
        head = self.head
        if head is None:
            raise ValueError("without a head there are no clusters")
        if cluster.id in self.acting:
            return self.acting[cluster.id]
        ranking = succession(head.digest, cluster, frozenset(head.slow))
        present = (p for p in ranking if self.state_of(p, now_s) in ("alive", "suspect"))
        return next(present, ranking[0])

    def curve(self, peer: PeerId | None = None) -> list[Point]:
        """Accuracy and loss by round: of one peer's test shard, or over all shards."""
        points = []
        for child, parent_round in self._evaluations():
            metrics = [m for m in child if peer is None or m.peer == peer]
            if metrics:
                points.append(_weighted(RoundNumber(parent_round), metrics))
        return points

    # -- events

    def _on_started(self, event: Started, now_s: float) -> list[Effect]:
        topics = (session_topic(self._session), status_topic(self._session))
        subscriptions: list[Effect] = [Subscribe(topic) for topic in topics]
        self._asked |= dict.fromkeys(event.offered_by)
        return [*subscriptions, *self._ask(None), SetTimer(ASK_AGAIN, now_s + ASK_AGAIN_EVERY_S)]

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name != ASK_AGAIN:
            return []
        self._requested.clear()
        old = [
            p
            for p, sighting in self.sightings.items()
            if now_s - sighting.heard_s > FORGOTTEN_AFTER_S
            and (self.head is None or p not in self.head.cohort)
        ]
        for peer in old:
            del self.sightings[peer]
        effects = self._ask(None) if self.head is None else self._ask_for_past()
        return [*effects, SetTimer(ASK_AGAIN, now_s + ASK_AGAIN_EVERY_S)]

    def _on_status(self, event: Status, now_s: float) -> list[Effect]:
        sighting = self._see(event.sender, now_s)
        if sighting is None:
            return []
        if sighting.status is None:
            self._log("joined", event.name, now_s)
        sighting.status = event
        return self._notice(event.sender, event.head)

    def _on_heartbeat(self, event: Heartbeat | JoinWish, now_s: float) -> list[Effect]:
        self._see(event.sender, now_s)
        return self._notice(event.sender, event.head)

    def _on_goodbye(self, event: Goodbye, now_s: float) -> list[Effect]:
        self._lose(event.sender, "left", now_s)
        return []

    def _on_unreachable(self, event: PeerUnreachable, now_s: float) -> list[Effect]:
        self._lose(event.peer, "lost", now_s)
        return []

    def _on_connected(self, event: PeerConnected, now_s: float) -> list[Effect]:
        sighting = self.sightings.get(event.peer)
        if sighting is not None:
            sighting.gone, sighting.heard_s = "", now_s
        return []

    def _on_contribution(self, event: Contribution, now_s: float) -> list[Effect]:
        self._see(event.peer, now_s)
        home = self.tree.home(event.peer) if self.tree is not None else None
        if self.head is None or event.base != self.head.digest or home is None:
            return []
        self.contributed.add(event.peer)
        target = self.aggregator_of(home, now_s)
        self._flow(
            event.blob.digest, event.peer, (target,), "contribution", event.blob.size_bytes, now_s
        )
        return []

    def _on_aggregate(self, event: Aggregate, now_s: float) -> list[Effect]:
        if self.head is None or self.tree is None or event.base != self.head.digest:
            return []
        cluster = self.tree.find(event.cluster)
        parent = self.tree.parent(cluster) if cluster is not None else None
        if cluster is None or parent is None:
            return []
        if event.term > 0 and self.acting.get(cluster.id) != event.author:
            name = self.name_of(event.author)
            self._log("takeover", f"{name} took over a cluster of tier {event.tier}", now_s)
        self.acting[cluster.id] = event.author
        target = self.aggregator_of(parent, now_s)
        self._flow(
            event.digest, event.author, (target,), "aggregate", event.blob.size_bytes, now_s
        )
        return []

    def _on_head(self, event: GlobalModel, now_s: float) -> list[Effect]:
        if not self.lineage.add(event, trusted=False):
            missing = self.lineage.missing(event.digest)
            return self._ask(missing, HISTORY_MAX) if missing is not None else []
        return self._adopt(now_s)

    def _on_history(self, event: HeadHistory, now_s: float) -> list[Effect]:
        if self.head is None and event.heads:
            self.lineage.add(event.heads[0], trusted=True)
        wanted = self._oldest_parent()
        for head in event.heads:
            if head.digest == wanted and head.digest not in self.past:
                self.past[head.digest] = head
                wanted = head.parent
        for head in reversed(event.heads):
            if self.head is None or head.key > self.head.key:
                self._on_head(head, now_s)
        return [*self._adopt(now_s), *self._ask_for_past()]

    # -- what follows

    def name_of(self, peer: PeerId) -> str:
        """What people call a peer."""
        sighting = self.sightings.get(peer)
        return sighting.status.name if sighting is not None and sighting.status else peer[-6:]

    def _adopt(self, now_s: float) -> list[Effect]:
        best = next(iter(self.lineage.candidates()), None)
        if best is None:
            return []
        before = self.tree
        slow = frozenset(self.head.slow if self.head is not None else ())
        self.lineage.adopt(best)
        self.acting.clear()
        self.contributed.clear()
        self._log(
            "head", f"round {best.round}: new global model by {self.name_of(best.author)}", now_s
        )
        if best.term > 0:
            self._log("takeover", f"{self.name_of(best.author)} took over as root", now_s)
        if best.round >= self.spec.rounds:
            self._log("finished", f"all {self.spec.rounds} rounds are done", now_s)
        if before is not None:
            self._flow_down(best, before, slow, now_s)
        return [*self._retopic(), *self._ask_for_past()]

    def _flow_down(
        self, head: GlobalModel, tree: Tree, slow: frozenset[PeerId], now_s: float
    ) -> None:
        """Show the new head going down the tree it was made in."""
        for cluster in tree.tiers[0]:
            named = [c.peer for c in head.contributors if c.peer in cluster.peers]
            ranking = succession(head.parent or head.digest, cluster, slow)
            aggregator = next((p for p in ranking if p in named), None)
            if aggregator is None:
                continue
            if aggregator != head.author:
                self._flow(None, head.author, (aggregator,), "head", head.blob.size_bytes, now_s)
            members = tuple(p for p in named if p not in (aggregator, head.author))
            self._flow(None, aggregator, members, "head", head.blob.size_bytes, now_s)

    def _retopic(self) -> list[Effect]:
        tree = self.tree
        clusters = [c for tier in tree.tiers for c in tier] if tree is not None else []
        wanted = {cluster_topic(self._session, c.id) for c in clusters[:TOPICS_MAX]}
        effects: list[Effect] = [Subscribe(topic) for topic in sorted(wanted - self._topics)]
        effects += [Unsubscribe(topic) for topic in sorted(self._topics - wanted)]
        self._topics = wanted
        return effects

    def _see(self, peer: PeerId, now_s: float) -> Sighting | None:
        if peer == self.me:
            return None
        if peer not in self.sightings and len(self.sightings) >= PEERS_MAX:
            return None
        sighting = self.sightings.setdefault(peer, Sighting(now_s))
        if sighting.gone:
            self._log("joined", f"{self.name_of(peer)} is back", now_s)
        sighting.heard_s, sighting.gone = now_s, ""
        self._asked[peer] = None
        return sighting

    def _lose(self, peer: PeerId, how: str, now_s: float) -> None:
        sighting = self.sightings.get(peer)
        if sighting is not None and not sighting.gone:
            sighting.gone = how
            self._log(how, self.name_of(peer), now_s)

    def _notice(self, sender: PeerId, key: HeadKey | None) -> list[Effect]:
        if key is None or (self.head is not None and key <= self.head.key):
            return []
        self._asked = {sender: None, **self._asked}
        return self._ask(key.digest if self.head is not None else None, HISTORY_MAX)

    def _ask(self, digest: Digest | None, count: int = HISTORY_MAX) -> list[Effect]:
        """Ask one peer for a head and its ancestors, once in a while for each."""
        peer = next(
            (p for p in self._asked if p not in self.sightings or not self.sightings[p].gone), None
        )
        if peer is None or (digest is not None and digest in self._requested):
            return []
        if digest is not None:
            self._requested.add(digest)
        self._asked.pop(peer)
        self._asked[peer] = None  # another one next time
        return [Send(peer, HeadRequest(self._session, self.me, digest, count))]

    def _ask_for_past(self) -> list[Effect]:
        missing = self._oldest_parent()
        return self._ask(missing) if missing is not None else []

    def _oldest_parent(self) -> Digest | None:
        """The first ancestor that is not known, or None."""
        oldest = None
        for head in self._chain():
            oldest = head.parent
        return oldest

    def _chain(self) -> list[GlobalModel]:
        """The head and all its known ancestors, newest first."""
        chain = list(self.lineage.ancestors(self.head)) if self.head is not None else []
        parent = chain[-1].parent if chain else None
        while parent is not None and parent in self.past:
            chain.append(self.past[parent])
            parent = chain[-1].parent
        return chain

    def _evaluations(self) -> list[tuple[tuple[Metrics, ...], int]]:
        """Metrics by round, oldest first; of the newest head once every shard was measured."""
        chain = self._chain()
        known = [(head.metrics, head.round - 1) for head in reversed(chain) if head.round > 0]
        if not chain:
            return known
        newest = [
            status.evaluation
            for status in (sighting.status for sighting in self.sightings.values())
            if status is not None and status.evaluated == chain[0].digest and status.evaluation
        ]
        gone = {peer for peer, sighting in self.sightings.items() if sighting.gone}
        if newest and {m.peer for m in newest} >= set(chain[0].cohort) - gone:
            known.append((tuple(newest), chain[0].round))
        return known

    def _flow(
        self,
        key: Digest | None,
        source: PeerId,
        targets: tuple[PeerId, ...],
        kind: str,
        size_bytes: int,
        now_s: float,
    ) -> None:
        if key is not None:
            if key in self._announced:
                return  # a repeated announcement
            self._announced = {*list(self._announced)[-FLOWS_MAX:], key}
        for target in targets:
            if target != source:
                self._num_flows += 1
                self.flows.append(Flow(self._num_flows, source, target, kind, size_bytes, now_s))

    def _log(self, kind: str, text: str, now_s: float) -> None:
        self._num_occurrences += 1
        self.occurrences.append(Occurrence(self._num_occurrences, now_s, kind, text))


def _weighted(round_number: RoundNumber, metrics: list[Metrics]) -> Point:
    total = sum(m.num_examples for m in metrics)
    return Point(
        round_number,
        sum(m.accuracy * m.num_examples for m in metrics) / total,
        sum(m.loss * m.num_examples for m in metrics) / total,
    )


_HANDLERS: dict[type[Event], Callable[..., list[Effect]]] = {
    Started: Observation._on_started,
    TimerFired: Observation._on_timer,
    Status: Observation._on_status,
    Heartbeat: Observation._on_heartbeat,
    JoinWish: Observation._on_heartbeat,
    Goodbye: Observation._on_goodbye,
    PeerUnreachable: Observation._on_unreachable,
    PeerConnected: Observation._on_connected,
    Contribution: Observation._on_contribution,
    Aggregate: Observation._on_aggregate,
    GlobalModel: Observation._on_head,
    HeadHistory: Observation._on_history,
}
