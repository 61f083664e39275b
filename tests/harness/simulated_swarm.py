"""WatchedSimulation: simulated peers, and the machines of observers that hear them.

The peers are the deciding machines that run in production, on virtual time; an observer is the
machine behind the dashboard. Only weights, computers and networks are made up: see
`swarm.simulation`.
"""

from typing import Any

from swarm.core.effects import PeerUnreachable, Publish, Send, Subscribe, Unsubscribe
from swarm.core.ids import PeerId, RoundNumber
from swarm.core.machine import Event, SetTimer, TimerFired
from swarm.federation.effects import EvaluationFinished, Started, Train, TrainingFinished
from swarm.federation.messages import Status
from swarm.peer.observer.snapshot import make_snapshot
from swarm.peer.observer.snapshot_changes import SnapshotCache
from swarm.simulation.federation.peers import SessionPeer
from swarm.simulation.federation.simulated_learning import TRAINING_S
from swarm.simulation.federation.simulator import SessionSimulator
from swarm.simulation.history import HistoryEntry
from swarm.watching.federation.observation import Observation

BEGAN_UNIX_S = 1_790_000_000.0
STATUS_EVERY_S = 1.0
"""Real peers publish their status as often while they train."""
LINKS_SHOWN_MAX = 64
ANSWERED_AFTER_S = 0.02


class WatchedSimulation:
    """A simulated swarm whose peers publish their status as real ones do, and its observers."""

    def __init__(self, simulator: SessionSimulator) -> None:
        self.simulator = simulator
        self._watchers: list[Watcher] = []
        self._began_s: dict[PeerId, float] = {}
        """When each peer that trains began."""
        self._measured: dict[PeerId, EvaluationFinished] = {}
        simulator.record = self._overhear
        for peer in simulator.peers.values():
            simulator.clock.at(peer.index % 97 / 97, self._publish_status, peer)

    def run(self, until_s: float) -> None:
        """Run until this virtual time, or to the end of the session."""
        self.simulator.run(until_s)

    def watch(self) -> "Watcher":
        """Add an observer that begins now."""
        self._watchers.append(Watcher(self.simulator, len(self._watchers)))
        return self._watchers[-1]

    def _overhear(self, entry: HistoryEntry) -> None:
        for effect in entry.effects:
            if isinstance(effect, Publish):
                for watcher in self._watchers:
                    watcher.hear(effect)
            elif isinstance(effect, Train):
                self._began_s.setdefault(entry.peer, entry.now_s)
        match entry.event:
            case PeerUnreachable():
                for watcher in self._watchers:
                    watcher.handle(entry.event)
            case TrainingFinished():
                self._began_s.pop(entry.peer, None)
            case EvaluationFinished():
                self._measured[entry.peer] = entry.event

    def _publish_status(self, peer: SessionPeer) -> None:
        if peer.alive and not peer.frozen:
            status = self._status(peer)
            for watcher in self._watchers:
                watcher.handle(status)
        self.simulator.clock.after(STATUS_EVERY_S, self._publish_status, peer)

    def _status(self, peer: SessionPeer) -> Status:
        held, measured = peer.machine.held, self._measured.get(peer.name)
        began_s = self._began_s.get(peer.name)
        trained_s = self.simulator.now_s - began_s if began_s is not None else 0.0
        blob_bytes = len(peer.heads) * (held.blob.size_bytes if held is not None else 0)
        introduction = self.simulator.introduction(peer.name)
        return Status(
            session=self.simulator.spec.id,
            sender=peer.name,
            name=introduction.name,
            phase="training" if began_s is not None else "waiting",
            round=RoundNumber(held.round + 1 if held is not None else 0),
            progress=round(min(1.0, trained_s / TRAINING_S), 3),
            head=held.key if held is not None else None,
            train_accuracy=measured.metrics.accuracy if measured is not None else None,
            evaluated=measured.head if measured is not None else None,
            evaluation=measured.metrics if measured is not None else None,
            num_examples=100 + peer.index,
            bytes_sent=blob_bytes + 400 * peer.num_sent,
            bytes_received=blob_bytes + 400 * peer.num_received,
            links=self.simulator.links.of(peer.name)[:LINKS_SHOWN_MAX],
            blob_bytes_sent=blob_bytes,
            site=introduction.site,
        )


class Watcher:
    """One observer of a simulated swarm. Its requests do not change what the peers do."""

    def __init__(self, simulator: SessionSimulator, number: int) -> None:
        self.me = PeerId(f"observer-{number}")
        self.seen = Observation(self.me, simulator.spec)
        self._simulator = simulator
        self._began_s = simulator.now_s
        self._topics: set[str] = set()
        self._cache = SnapshotCache()
        live = tuple(simulator.live) or (simulator.starter,)
        self.handle(Started(offered_by=live[:1], unix_s=BEGAN_UNIX_S + simulator.now_s))

    def snapshot(self) -> dict[str, Any]:
        """Snapshot of what a dashboard shows now."""
        now_s = self._simulator.now_s
        self.seen.look(now_s)
        num_live = len(self._simulator.live)
        return make_snapshot(self.seen, num_live, now_s, now_s - self._began_s, None, self._cache)

    def hear(self, published: Publish) -> None:
        """Handle a message if its topic is subscribed to."""
        if published.topic in self._topics:
            self.handle(published.message)

    def handle(self, event: Event) -> None:
        """Apply one event, and carry out the effects."""
        clock = self._simulator.clock
        for effect in self.seen.handle(event, clock.now_s):
            match effect:
                case SetTimer(name, due_s):
                    clock.at(due_s, self.handle, TimerFired(name))
                case Subscribe(topic):
                    self._topics.add(topic)
                case Unsubscribe(topic):
                    self._topics.discard(topic)
                case Send(name, message):
                    clock.after(ANSWERED_AFTER_S, self._ask, name, message)

    def _ask(self, name: PeerId, message: Event) -> None:
        peer = self._simulator.peers.get(name)
        if peer is None or not peer.alive or peer.machine.held is None:
            return
        for answer in peer.machine.handle(message, peer.own_s(self._simulator.now_s)):
            if isinstance(answer, Send) and answer.peer == self.me:
                self._simulator.clock.after(ANSWERED_AFTER_S, self.handle, answer.message)
