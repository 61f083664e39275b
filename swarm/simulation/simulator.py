"""Simulator: many Federation machines, one seed, one ordered history on virtual time."""

import hashlib
import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    FetchBlob,
    KeepBlobs,
    KeepConnected,
    PeerConnected,
    PeerUnreachable,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
)
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.effects import (
    Combine,
    Combined,
    CreateWeights,
    Evaluate,
    EvaluationFinished,
    LearnerReady,
    Note,
    SaveContribution,
    SaveHead,
    Started,
    Train,
    TrainingFinished,
    WeightsCreated,
)
from swarm.federation.federation import Federation
from swarm.federation.messages import Contribution, GlobalModel, Metrics
from swarm.federation.tree import succession
from swarm.federation.validity import tree_of
from swarm.simulation.faults import Crash, FaultPlan

Vector = tuple[float, ...]
"""Stands in for a model's weights."""

TRAINING_S = 4.0
LEARNER_READY_AFTER_S = 3.0
CONNECTION_LOSS_NOTICED_AFTER_S = 0.2
BLOB_POLL_S = 0.1
COMBINING_S = 0.02
DEAD_HOLDER_COSTS_S = 0.2
HEADS_RESUMED_MAX = 64


@dataclass(slots=True)
class SimulatedPeer:
    """One peer: its machine, and what survives a crash of it."""

    machine: Federation
    alive: bool = False
    life: int = 0
    """Counts starts; what an earlier life asked for is not answered to a later one."""
    topics: set[str] = field(default_factory=set)
    store: set[Digest] = field(default_factory=set)
    heads: list[GlobalModel] = field(default_factory=list)
    contribution: Contribution | None = None
    timers: dict[str, int] = field(default_factory=dict)
    training: Digest | None = None
    notes: list[tuple[float, Note]] = field(default_factory=list)


class HistoryEntry(NamedTuple):
    """One event as it was delivered."""

    now_s: float
    peer: PeerId
    event: Event


class Simulator:
    """Runs a swarm; the same spec, plan and seed give the same history.

    Weights are small vectors, so that checkers can redo the arithmetic.
    """

    def __init__(
        self,
        spec: SessionSpec,
        num_peers: int,
        plan: FaultPlan,
        seed: int,
        size_bytes: int = 10**6,
    ) -> None:
        self.now_s = 0.0
        self.plan = plan
        self.vectors: dict[Digest, Vector] = {}
        self.trained: dict[tuple[PeerId, Digest], list[Vector]] = {}
        """Every result of training per (peer, base); a restarted peer may train twice."""
        self.history: list[HistoryEntry] = []
        self.sent: Counter[PeerId] = Counter()
        """Messages each peer sent or published, however many received them."""
        self.announced: dict[tuple[PeerId, Digest], set[Digest]] = defaultdict(set)
        """Blobs of the contributions announced per (peer, base)."""
        self._random = random.Random(seed)  # noqa: S311 (reproducible on purpose)
        self._size_bytes = size_bytes
        self._num_fated = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._pending = list(plan.crashes)
        self._turned = False
        names = [PeerId(f"peer-{k:02d}") for k in range(num_peers + len(plan.join_at_s))]
        self.starter = names[0]
        fields = {name: getattr(spec, name) for name in spec.__dataclass_fields__}
        self.spec = SessionSpec(**{**fields, "starter": self.starter})
        self.peers = {name: SimulatedPeer(self._machine(name)) for name in names}
        self._slowest = names[num_peers - 1]
        for name in names[:num_peers]:
            self._at(self._random.uniform(0, 1), partial(self._start, name))
        for name, start_s in zip(names[num_peers:], plan.join_at_s, strict=True):
            self._at(start_s, partial(self._start, name))

    def run(self, until_s: float, check: Callable[[], None] = lambda: None) -> None:
        """Deliver events in order of time until `until_s` or the end, checking after each."""
        while self._queue and self._queue[0][0] <= until_s:
            self.now_s, _, action = heapq.heappop(self._queue)
            action()
            check()
            if self._turned:
                self._turned = False
                self._trigger_crashes()
                if self.done:
                    return

    @property
    def live(self) -> dict[PeerId, SimulatedPeer]:
        """Peers that are running."""
        return {name: peer for name, peer in self.peers.items() if peer.alive}

    @property
    def done(self) -> bool:
        """Whether every fault is over and all live peers hold one last head."""
        settled = all(p.machine.finished and p.machine.final_metrics for p in self.live.values())
        settled &= len({p.machine.held.key for p in self.live.values() if p.machine.held}) == 1
        return settled and bool(self.live) and self.faults_over

    @property
    def faults_over(self) -> bool:
        """Whether everybody has come who will, and nobody else dies or returns."""
        latest_s = max(self.plan.join_at_s, default=0.0)
        return self.now_s > latest_s and not self._pending and not self._num_fated

    def greatest_head(self) -> GlobalModel | None:
        """The greatest head any live peer holds."""
        held = [p.machine.held for p in self.live.values() if p.machine.held is not None]
        return max(held, key=lambda head: head.key, default=None)

    # -- faults

    def crash(self, name: PeerId, restart_after_s: float | None = None) -> None:
        """End a peer without a word; others notice the closed connection."""
        peer = self.peers[name]
        peer.alive = False
        self._turned = True
        peer.timers.clear()
        peer.topics.clear()
        for other in self.live:
            self._later(CONNECTION_LOSS_NOTICED_AFTER_S, other, PeerUnreachable(name))
        if restart_after_s is not None:
            self._num_fated += 1
            self._at(self.now_s + restart_after_s, partial(self._restart, name))

    def _restart(self, name: PeerId) -> None:
        self._num_fated -= 1
        self._start(name)

    def _trigger_crashes(self) -> None:
        rounds = [p.machine.held.round for p in self.live.values() if p.machine.held is not None]
        for crash in list(self._pending):
            # Initial weights that only the starter has die with it; nobody could go on.
            if len(rounds) > 1 and max(rounds) >= crash.round:
                self._pending.remove(crash)
                self._num_fated += 1
                self._at(self.now_s + crash.delay_s, partial(self._crash_role, crash))

    def _crash_role(self, crash: Crash) -> None:
        self._num_fated -= 1
        head = self.greatest_head()
        name = self._find(crash.role, head) if head is not None else None
        if name is not None and self.peers[name].alive:
            self.crash(name, crash.restart_after_s)

    def _find(self, role: str, head: GlobalModel) -> PeerId | None:
        tree = tree_of(head, self.spec)
        slow = frozenset(head.slow)
        root = succession(head.digest, tree.root, slow)[0]
        firsts = [succession(head.digest, c, slow)[0] for c in tree.tiers[0]]
        if role == "root":
            return root
        if role == "aggregator":
            return next((p for p in firsts if p != root), firsts[0])
        if role == "trainer":
            return next((p for p in head.cohort if p not in firsts and p != root), None)
        return self.starter if role == "starter" else PeerId(role)

    # -- lives of peers

    def _machine(self, name: PeerId) -> Federation:
        return Federation(name, self.spec, lambda digest: f"{name} signs {digest}".encode())

    def _start(self, name: PeerId) -> None:
        peer = self.peers[name]
        if peer.alive:
            return
        peer.machine = self._machine(name)
        peer.alive, peer.training = True, None
        peer.life += 1
        self._turned = True
        others = [other for other in self.live if other != name]
        offered_by = tuple(others[:1] or [p for p in (self.starter,) if p != name])
        heads = tuple(peer.heads[-HEADS_RESUMED_MAX:])
        while heads and heads[-1].blob.digest not in peer.store:
            heads = heads[:-1]
        mine = peer.contribution
        kept = mine if mine is not None and mine.blob.digest in peer.store else None
        self._handle(name, Started(heads, kept if heads else None, offered_by))
        for other in self.live:
            if other != name:
                self._later(0.05, name, PeerConnected(other))
                self._later(0.05, other, PeerConnected(name))
        self._later(LEARNER_READY_AFTER_S, name, LearnerReady())

    def _handle(self, name: PeerId, event: Event) -> None:
        self.history.append(HistoryEntry(self.now_s, name, event))
        machine = self.peers[name].machine
        before = machine.held, machine.final_metrics
        for effect in machine.handle(event, self.now_s):
            self._carry_out(name, effect)
        self._turned |= before != (machine.held, machine.final_metrics)

    # -- effects

    def _carry_out(self, name: PeerId, effect: Effect) -> None:
        peer = self.peers[name]
        match effect:
            case SetTimer(timer, due_s):
                self._set_timer(name, timer, due_s)
            case Publish() | Send() | Subscribe() | Unsubscribe():
                self._communicate(name, effect)
            case FetchBlob(blob, holders, wait_s):
                self._fetch(name, blob, list(holders), wait_s)
            case KeepBlobs(blobs):
                peer.store &= {blob.digest for blob in blobs}
            case SaveHead(head):
                if head not in peer.heads:
                    peer.heads.append(head)
            case SaveContribution(contribution):
                peer.contribution = contribution
            case Note():
                peer.notes.append((self.now_s, effect))
            case _:
                self._learn(name, effect)

    def _communicate(self, name: PeerId, effect: Effect) -> None:
        match effect:
            case Publish(topic, message, attach):
                self.sent[name] += 1
                if isinstance(message, Contribution):
                    self.announced[name, message.base].add(message.blob.digest)
                for other, receiver in self.peers.items():
                    if topic in receiver.topics and other != name:
                        self._transmit(name, other, message, attach)
            case Send(other, message):
                self.sent[name] += 1
                self._transmit(name, other, message, None)
            case Subscribe(topic):
                self.peers[name].topics.add(topic)
            case Unsubscribe(topic):
                self.peers[name].topics.discard(topic)

    def _learn(self, name: PeerId, effect: Effect) -> None:
        match effect:
            case CreateWeights():
                blob = self._store(name, (0.0, 1.0, -1.0))
                self._later(0.5, name, WeightsCreated(blob))
            case Train(base, blob, _):
                self._train(name, base, blob)
            case Evaluate(head, _, _):
                metrics = Metrics(name, 0.5, 1.0, 100)
                self._later(0.1, name, EvaluationFinished(head, metrics))
            case Combine():
                self._combine(name, effect)
            case KeepConnected():
                pass  # every simulated peer can reach every other
            case _:
                raise TypeError(f"no simulation of {effect!r}")

    def _train(self, name: PeerId, base: Digest, blob: BlobRef) -> None:
        peer = self.peers[name]
        if peer.training == base:
            return
        peer.training = base
        life = peer.life
        factor = self.plan.slow_factor if name == self._slowest else 1.0
        duration_s = TRAINING_S * factor * self._random.uniform(0.8, 1.2)
        change = [self._random.gauss(0, 1) for _ in self.vectors[blob.digest]]
        trained = tuple(w + d for w, d in zip(self.vectors[blob.digest], change, strict=True))

        def finish() -> None:
            if peer.alive and peer.life == life and peer.training == base:
                self.trained.setdefault((name, base), []).append(trained)
                result = self._store(name, trained)
                metrics = Metrics(name, 0.5, 1.0, 100)
                count = 100 + int(name[-2:])
                self._handle(name, TrainingFinished(base, result, count, duration_s, metrics))

        self._at(self.now_s + duration_s, finish)

    def _combine(self, name: PeerId, job: Combine) -> None:
        total = sum(item.weight for item in job.inputs)
        columns = zip(*(self.vectors[item.blob.digest] for item in job.inputs), strict=True)
        shares = [item.weight / total for item in job.inputs]
        mean = tuple(sum(w * s for w, s in zip(column, shares, strict=True)) for column in columns)
        missing = [i for i in job.inputs if i.blob.digest not in self.peers[name].store]
        if missing:
            raise AssertionError(f"{name} combines weights it does not have: {missing}")
        blob = self._store(name, mean)
        self._later(COMBINING_S, name, Combined(job.base, job.cluster, blob))

    def _store(self, name: PeerId, vector: Vector) -> BlobRef:
        digest = sha256_hex(repr(vector).encode())
        self.vectors[digest] = vector
        self.peers[name].store.add(digest)
        return BlobRef(digest, self._size_bytes)

    def _fetch(self, name: PeerId, blob: BlobRef, holders: list[PeerId], wait_s: float) -> None:
        peer, life = self.peers[name], self.peers[name].life
        deadline_s = self.now_s + wait_s

        def attempt() -> None:
            if not peer.alive or peer.life != life:
                return
            if not holders:
                self._handle(name, BlobMissing(blob, "no holder gave it"))
                return
            holder = holders[0]
            if self._reaches(name, holder) and blob.digest in self.peers[holder].store:
                self._at(self.now_s + self.plan.blob_transfer_s, lambda: arrive(holder))
            elif self._reaches(name, holder) and self.now_s < deadline_s:
                self._at(self.now_s + BLOB_POLL_S, attempt)
            else:
                next_holder()

        def next_holder() -> None:
            nonlocal deadline_s
            holders.pop(0)
            deadline_s = self.now_s + wait_s
            self._at(self.now_s + DEAD_HOLDER_COSTS_S, attempt)

        def arrive(holder: PeerId) -> None:
            if not peer.alive or peer.life != life:
                return
            if not self._reaches(name, holder):
                next_holder()
                return
            peer.store.add(blob.digest)
            self._handle(name, BlobArrived(blob))

        self._at(self.now_s + self.plan.blob_transfer_s, attempt)

    # -- messages and time

    def _transmit(
        self, source: PeerId, target: PeerId, message: Event, attach: BlobRef | None
    ) -> None:
        copies = 1 + (self._random.random() < self.plan.duplicate_rate)
        for _ in range(copies):
            delay_s = self._random.uniform(self.plan.delay_s_min, self.plan.delay_s_max)
            if self._random.random() >= self.plan.loss_rate and self._reaches(source, target):
                life = self.peers[target].life
                self._at(
                    self.now_s + delay_s, partial(self._receive, target, life, message, attach)
                )

    def _receive(self, name: PeerId, life: int, message: Event, attach: BlobRef | None) -> None:
        peer = self.peers[name]
        if not peer.alive or peer.life != life:
            return
        if attach is not None:
            peer.store.add(attach.digest)
            self._handle(name, BlobArrived(attach))
        self._handle(name, message)

    def _reaches(self, source: PeerId, target: PeerId) -> bool:
        cut = self.plan.partitions and any(
            p.start_s <= self.now_s < p.end_s and (source in p.island) != (target in p.island)
            for p in self.plan.partitions
        )
        return self.peers[target].alive and not cut

    def _set_timer(self, name: PeerId, timer: str, due_s: float) -> None:
        peer, life = self.peers[name], self.peers[name].life
        serial = self._serial + 1
        peer.timers[timer] = serial

        def fire() -> None:
            if peer.alive and peer.life == life and peer.timers.get(timer) == serial:
                self._handle(name, TimerFired(timer))

        self._at(due_s, fire)

    def _later(self, delay_s: float, name: PeerId, event: Event) -> None:
        life = self.peers[name].life

        def deliver() -> None:
            if self.peers[name].alive and self.peers[name].life == life:
                self._handle(name, event)

        self._at(self.now_s + delay_s, deliver)

    def _at(self, due_s: float, action: Callable[[], None]) -> None:
        self._serial += 1  # ties resolve by order of asking, never by chance
        heapq.heappush(self._queue, (due_s, self._serial, action))


def history_digest(simulator: Simulator) -> str:
    """One word for a whole history: equal runs, equal words."""
    text = "\n".join(f"{e.now_s:.9f} {e.peer} {e.event!r}" for e in simulator.history)
    return hashlib.sha256(text.encode()).hexdigest()
