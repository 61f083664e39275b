"""Observation: follows a session from the messages that a peer which only watches hears."""

from collections.abc import Callable

from swarm.commanding.commands import RelayedCommands
from swarm.core.effects import PeerConnected, PeerUnreachable, Send, Subscribe, Unsubscribe
from swarm.core.ids import Digest, PeerId, RoundNumber
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.best_head import ending, is_last
from swarm.federation.effects import Started
from swarm.federation.ledger_entries import LedgerPage
from swarm.federation.lineage import Lineage
from swarm.federation.messages import (
    Contribution,
    Goodbye,
    HeadHistory,
    Heartbeat,
    JoinRequest,
    Status,
)
from swarm.federation.records import Aggregate, GlobalModel, Metrics
from swarm.federation.session_ledger import SessionLedger
from swarm.federation.topics import cluster_topic, session_topic, status_topic
from swarm.federation.tree import Cluster, Tree, succession
from swarm.federation.validity import InvalidRecordError, tree_of
from swarm.watching.federation.alerts import Alert, alerts_of
from swarm.watching.federation.command_tracking import CommandGiven, CommandTracking
from swarm.watching.federation.differing_data import alerts_of_data
from swarm.watching.federation.head_history import HEADS_MAX, KnownHeads, Point
from swarm.watching.federation.head_reader import HeadReader
from swarm.watching.federation.ledger_reader import LedgerReader
from swarm.watching.federation.live_state import Flows, Log, SeenPeer
from swarm.watching.federation.pace import TrainingCurve, seconds_left
from swarm.watching.federation.peer_registry import PeerRegistry

ENTRIES_MAX = 4096
TOPICS_MAX = 256
"""Most cluster topics an observer listens to; in a larger swarm it sees only the first
clusters."""
ASK_AGAIN = "observing.ask_again"
ASK_AGAIN_EVERY_S = 2.0


class Observation:
    """Follows a session from its messages; takes part in nothing.

    Invariants:
        Sends nothing but requests for heads and ledgers, and commands of its operator.
        Everything it remembers is bounded.
    """

    def __init__(self, me: PeerId, spec: SessionSpec) -> None:
        self.me = me
        self.spec = spec
        self.lineage = Lineage(spec)
        self.flows = Flows()
        self.log = Log()
        self.past = KnownHeads(self.lineage)
        self.ledger = SessionLedger(spec.id, me, lambda _: b"", ENTRIES_MAX)
        self.command_tracking = CommandTracking(spec.id, me)
        self._registry = PeerRegistry(me, self.lineage, self.command_tracking, self.log)
        self.acting: dict[str, PeerId] = {}
        """The peer that announced an aggregate in this round, by cluster."""
        self.contributed: set[PeerId] = set()
        self._session = spec.id
        self._topics: set[str] = set()
        self._heads = HeadReader(spec.id, me, self.lineage, self.past, self._registry)
        self._ledgers = LedgerReader(spec.id, me)
        self.training_curve = TrainingCurve()
        self._first_sight: tuple[Digest, float, float] | None = None
        """The held head, when training on it was first seen, and how far it was then."""
        self._alerts: tuple[tuple[object, ...], list[Alert]] | None = None
        self._of_heads: dict[Digest, list[Alert]] = {}
        self._tree: tuple[Digest, Tree] | None = None
        self._rankings: dict[str, tuple[PeerId, ...]] = {}

    @property
    def head(self) -> GlobalModel | None:
        """The greatest head known."""
        return self.lineage.held

    @property
    def registry(self) -> dict[PeerId, SeenPeer]:
        """What is known of each peer."""
        return self._registry.by_peer

    @property
    def tree(self) -> Tree | None:
        """The tree of the round now under way."""
        head = self.head
        if head is None:
            return None
        if self._tree is None or self._tree[0] != head.digest:
            self._tree, self._rankings = (head.digest, tree_of(head, self.spec)), {}
        return self._tree[1]

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine.Machine.handle`."""
        handler = _HANDLERS.get(type(event))
        if handler is None or getattr(event, "session", self._session) != self._session:
            return []
        try:
            return handler(self, event, now_s)
        except InvalidRecordError as error:
            self.log.add("rejected", f"{type(event).__name__}: {error}", now_s)
            return []

    def state_of(self, peer: PeerId, now_s: float) -> str:
        """`alive`, `suspect`, `lost`, `left`, `quarantined` or `removed`."""
        return self._registry.state_of(peer, now_s)

    def live(self, now_s: float) -> dict[PeerId, Status]:
        """The newest status of each peer that is here."""
        return self._registry.live(now_s)

    def knows(self, peer: PeerId) -> bool:
        """Whether this peer was seen in the session, or is in its cohort."""
        return self._registry.knows(peer)

    def name_of(self, peer: PeerId) -> str:
        """A peer's name."""
        return self._registry.name_of(peer)

    def site_of(self, peer: PeerId) -> str:
        """A peer's site, as it says or last said; empty if it says none."""
        return self._registry.site_of(peer)

    def names(self) -> dict[PeerId, str]:
        """The peers' names, including peers that are gone."""
        return self._registry.names()

    def unix_s(self, now_s: float) -> float:
        """Seconds since 1970."""
        return self._registry.unix_s(now_s)

    def aggregator_of(self, cluster: Cluster, now_s: float) -> PeerId:
        """The aggregator of a cluster now: announced, or the first of its succession not lost."""
        head = self.head
        if head is None:
            raise ValueError("without a head there are no clusters")
        if cluster.id in self.acting:
            return self.acting[cluster.id]
        ranking = self._ranking(head, cluster)
        present = (p for p in ranking if self._registry.is_present(p, now_s))
        return next(present, ranking[0])

    def newest_metrics(self) -> tuple[Metrics, ...]:
        """How the newest head does, once every shard that is left was measured."""
        chain = self.past.chain
        if not chain:
            return ()
        newest = tuple(
            status.evaluation
            for status in (seen_peer.status for seen_peer in self.registry.values())
            if status is not None and status.evaluated == chain[0].digest and status.evaluation
        )
        gone = {peer for peer, seen_peer in self.registry.items() if seen_peer.gone}
        return newest if {m.peer for m in newest} >= chain[0].members - gone else ()

    def curve(self, peer: PeerId | None = None) -> list[Point]:
        """Accuracy and loss by round, of one peer's test shard or over all shards."""
        return self.past.curve(self.newest_metrics(), peer)

    def alerts(self) -> list[Alert]:
        """All alerts of the run, by round, then by time."""
        curve, threshold = self.curve(), self.command_tracking.drop_threshold
        statuses = {p: s.status for p, s in self.registry.items() if s.status is not None}
        data = frozenset((p, status.data, status.num_test) for p, status in statuses.items())
        of = (self.ledger.num_kept, self.past.version, len(curve), threshold, data)
        if self._alerts is None or self._alerts[0] != of:
            if len(self._of_heads) > 2 * HEADS_MAX:
                self._of_heads.clear()
            entries, chain = self.ledger.entries, self.past.chain
            alerts = alerts_of(entries, chain, curve, threshold, self.spec, self._of_heads)
            self._alerts = (of, [*alerts_of_data(statuses, self.spec), *alerts])
        return self._alerts[1]

    def look(self, now_s: float) -> None:
        """Find out what the peers report together; called before each snapshot."""
        live = self.live(now_s)
        self.command_tracking.observe(live)
        head, progress = self.head, self._progress(now_s)
        if head is not None:
            members = [status for peer, status in live.items() if peer in head.members]
            self.training_curve.take(members, head.round + 1)
        sight = self._first_sight
        if head is not None and (sight is None or sight[0] != head.digest):
            self._first_sight = (head.digest, now_s, progress)

    def seconds_left(self, now_s: float) -> float | None:
        """Estimated seconds until all rounds are done; None while the pace is unknown."""
        head, sight = self.head, self._first_sight
        if head is None or sight is None:
            return None
        times = [self.past.unix_s.get(known.digest) for known in self.past.chain]
        pairs = zip(times[1:], times, strict=False)  # newest first
        durations_s = [b - a for a, b in pairs if a is not None and b is not None and b > a]
        progress = self._progress(now_s)
        if times[0] is not None:
            in_round_s = max(0.0, self.unix_s(now_s) - times[0])
        else:  # it is unknown when the round began: the part that was seen gives the pace
            _, seen_s, before = sight
            in_round_s = (now_s - seen_s) * progress / max(progress - before, 1e-3)
        num_left = self.spec.rounds - head.round
        return seconds_left(num_left, durations_s[::-1], in_round_s, progress)

    def _progress(self, now_s: float) -> float:
        """Share of the round's training that is done, mean of the cohort's peers that are here."""
        head = self.head
        members = head.members if head is not None else frozenset()
        here = [s for peer, s in self.live(now_s).items() if peer in members]
        number = head.round + 1 if head is not None else 0
        shares = [
            1.0 if s.phase in ("waiting", "aggregating") else s.progress * (s.phase == "training")
            for s in here
            if s.round == number
        ]
        return sum(shares) / len(here) if here else 0.0

    # -- events

    def _on_started(self, event: Started, now_s: float) -> list[Effect]:
        self._registry.unix_offset_s = event.unix_s - now_s
        topics = (session_topic(self._session), status_topic(self._session))
        subscriptions: list[Effect] = [Subscribe(topic) for topic in topics]
        self._heads.add_peers(event.offered_by)
        return [
            *subscriptions,
            *self._heads.ask(None),
            SetTimer(ASK_AGAIN, now_s + ASK_AGAIN_EVERY_S),
        ]

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name != ASK_AGAIN:
            return []
        self._registry.forget_old(now_s)
        effects = self._heads.ask_again()
        present = self._registry.present(now_s)
        effects += [Send(p, request) for p, request in self._ledgers.requests(present, now_s)]
        effects += self.command_tracking.repeat(self.unix_s(now_s))
        return [*effects, SetTimer(ASK_AGAIN, now_s + ASK_AGAIN_EVERY_S)]

    def _on_status(self, event: Status, now_s: float) -> list[Effect]:
        seen_peer = self._see(event.sender, now_s)
        if seen_peer is None:
            return []
        self._registry.take_status(seen_peer, event, now_s)
        return self._heads.note_head(event.sender, event.head)

    def _on_heartbeat(self, event: Heartbeat | JoinRequest, now_s: float) -> list[Effect]:
        self._see(event.sender, now_s)
        return self._heads.note_head(event.sender, event.head)

    def _on_goodbye(self, event: Goodbye, now_s: float) -> list[Effect]:
        self._registry.note_gone(event.sender, "left", now_s)
        return []

    def _on_ledger(self, event: LedgerPage, now_s: float) -> list[Effect]:
        for entry in event.entries:
            if self.ledger.keep(entry):
                self._registry.take_entry(entry, now_s)
        following = self._ledgers.take_page(event, now_s)
        return [Send(event.sender, following)] if following is not None else []

    def _on_commands(self, event: RelayedCommands, _now_s: float) -> list[Effect]:
        self.command_tracking.take(event)
        return []

    def _on_command_given(self, event: CommandGiven, now_s: float) -> list[Effect]:
        effects = self.command_tracking.give(event.command, self.unix_s(now_s))
        self.look(now_s)
        return effects

    def _on_unreachable(self, event: PeerUnreachable, now_s: float) -> list[Effect]:
        self._registry.note_gone(event.peer, "lost", now_s)
        return []

    def _on_connected(self, event: PeerConnected, now_s: float) -> list[Effect]:
        self._registry.connected(event.peer, now_s)
        self._ledgers.forget(event.peer)
        return []

    def _on_contribution(self, event: Contribution, now_s: float) -> list[Effect]:
        self._see(event.peer, now_s)
        home = self.tree.home(event.peer) if self.tree is not None else None
        if self.head is None or event.base != self.head.digest or home is None:
            return []
        self.contributed.add(event.peer)
        target = self.aggregator_of(home, now_s)
        size_bytes = event.blob.size_bytes
        ends = [(event.peer, target)]
        self.flows.add(event.blob.digest, ends, "contribution", size_bytes, now_s)
        return []

    def _on_aggregate(self, event: Aggregate, now_s: float) -> list[Effect]:
        if self.head is None or self.tree is None or event.base != self.head.digest:
            return []
        cluster = self.tree.find(event.cluster)
        parent = self.tree.parent(cluster) if cluster is not None else None
        if cluster is None or parent is None:
            return []
        if event.term > 0 and self.acting.get(cluster.id) != event.author:
            first = self.name_of(self._ranking(self.head, cluster)[0])
            text = f"{self.name_of(event.author)} combined {cluster.title} instead of {first}"
            number = RoundNumber(self.head.round + 1)
            self.log.add("takeover", text, now_s, event.author, number)
        self.acting[cluster.id] = event.author
        target = self.aggregator_of(parent, now_s)
        ends = [(event.author, target)]
        self.flows.add(event.digest, ends, "aggregate", event.blob.size_bytes, now_s)
        return []

    def _on_head(self, event: GlobalModel, now_s: float) -> list[Effect]:
        if not self.lineage.add(event, trusted=False):
            missing = self.lineage.missing(event.digest)
            return self._heads.ask(missing) if missing is not None else []
        return self._adopt(now_s)

    def _on_history(self, event: HeadHistory, now_s: float) -> list[Effect]:
        if self.head is None and event.heads:
            self.lineage.add(event.heads[0], trusted=True)
        effects = self._adopt(now_s)
        self.past.take_history(event)
        for head in reversed(event.heads):
            if self.head is None or head.key > self.head.key:
                effects += self._on_head(head, now_s)
        return [*effects, *self._heads.ask_for_past()]

    # -- what follows from events

    def _ranking(self, head: GlobalModel, cluster: Cluster) -> tuple[PeerId, ...]:
        if cluster.id not in self._rankings:
            slow = frozenset(head.slow)
            self._rankings[cluster.id] = succession(head.digest, cluster, slow)
        return self._rankings[cluster.id]

    def _adopt(self, now_s: float) -> list[Effect]:
        best = next(iter(self.lineage.candidates()), None)
        if best is None:
            return []
        before = self.tree
        slow = frozenset(self.head.slow if self.head is not None else ())
        self.lineage.adopt(best)
        self.past.adopt(best, self.unix_s(now_s) if before is not None else 0.0)
        self.acting.clear()
        self.contributed.clear()
        author = self.name_of(best.author)
        text = f"round {best.round}: new global model by {author}"
        self.log.add("head", text, now_s, best.author, best.round)
        if best.term > 0 and before is not None:
            first = self.name_of(succession(best.parent or best.digest, before.root, slow)[0])
            text = f"{author} combined the model of round {best.round} instead of {first}"
            self.log.add("takeover", text, now_s, best.author, best.round)
        if is_last(best, self.spec):
            self.log.add("finished", ending(best, self.spec), now_s)
        if before is not None:
            self._flow_down(best, before, slow, now_s)
        return self._subscribe()

    def _flow_down(
        self, head: GlobalModel, tree: Tree, slow: frozenset[PeerId], now_s: float
    ) -> None:
        """Show the new head going down the tree in which it was made."""
        ends: list[tuple[PeerId, PeerId]] = []
        for cluster in tree.tiers[0]:
            named = [c.peer for c in head.contributors if c.peer in cluster.peers]
            ranking = succession(head.parent or head.digest, cluster, slow)
            aggregator = next((p for p in ranking if p in named), None)
            if aggregator is None:
                continue
            ends.append((head.author, aggregator))
            ends += [(aggregator, p) for p in named if p not in (aggregator, head.author)]
        self.flows.add(None, ends, "head", head.blob.size_bytes, now_s)

    def _subscribe(self) -> list[Effect]:
        tree = self.tree
        clusters = [c for tier in tree.tiers for c in tier] if tree is not None else []
        wanted = {cluster_topic(self._session, c.id) for c in clusters[:TOPICS_MAX]}
        effects: list[Effect] = [Subscribe(topic) for topic in sorted(wanted - self._topics)]
        effects += [Unsubscribe(topic) for topic in sorted(self._topics - wanted)]
        self._topics = wanted
        return effects

    def _see(self, peer: PeerId, now_s: float) -> SeenPeer | None:
        seen_peer = self._registry.note_heard(peer, now_s)
        if seen_peer is not None:
            self._heads.add_peers([peer])
        return seen_peer


_HANDLERS: dict[type[Event], Callable[..., list[Effect]]] = {
    Started: Observation._on_started,
    TimerFired: Observation._on_timer,
    Status: Observation._on_status,
    Heartbeat: Observation._on_heartbeat,
    JoinRequest: Observation._on_heartbeat,
    Goodbye: Observation._on_goodbye,
    PeerUnreachable: Observation._on_unreachable,
    PeerConnected: Observation._on_connected,
    Contribution: Observation._on_contribution,
    Aggregate: Observation._on_aggregate,
    GlobalModel: Observation._on_head,
    HeadHistory: Observation._on_history,
    LedgerPage: Observation._on_ledger,
    RelayedCommands: Observation._on_commands,
    CommandGiven: Observation._on_command_given,
}
