"""Simulated learning: weights are small vectors, so that checkers can redo the arithmetic."""

import math
import random
from collections import defaultdict
from collections.abc import Callable

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Event
from swarm.federation.effects import (
    Combine,
    Combined,
    CombineFailed,
    CombineInput,
    CreateWeights,
    Evaluate,
    EvaluationFinished,
    MergeInput,
    Rejection,
    Train,
    TrainingFailed,
    TrainingFinished,
    TrainingProgressed,
    WeightsCreated,
)
from swarm.federation.records import Metrics
from swarm.simulation.clock import Clock
from swarm.simulation.federation.faults import SessionFaults
from swarm.simulation.federation.peers import SessionPeer

Vector = tuple[float, ...]
"""Stands in for a model's weights."""

INITIAL: Vector = (0.0, 1.0, -1.0)
TRAINING_S = 4.0
PROGRESS_EVERY_S = 1.0
CREATING_S = 0.5
EVALUATING_S = 0.1
FAILING_S = 0.5
READY_AFTER_S = 3.0


class SimulatedLearner:
    """The workers of all peers, and every vector that was ever made."""

    def __init__(
        self,
        plan: SessionFaults,
        clock: Clock,
        chance: random.Random,
        size_bytes: int,
        answer: Callable[[SessionPeer, int, Event], None],
    ) -> None:
        self.vectors: dict[Digest, Vector] = {}
        self.trained: defaultdict[tuple[PeerId, Digest], dict[Digest, Vector]] = defaultdict(dict)
        """Every result of training per (peer, base); a restarted peer may train twice."""
        self.sources: dict[Digest, frozenset[Digest]] = {}
        """Results of training that each combination includes."""
        self.slowest: PeerId | None = None
        self._plan = plan
        self._clock = clock
        self._chance = chance
        self._size_bytes = size_bytes
        self._answer = answer

    def create(self, peer: SessionPeer, _effect: CreateWeights) -> None:
        """Make the initial weights."""
        blob = self.keep(peer, INITIAL)
        self._clock.after(CREATING_S, self._answer, peer, peer.life, WeightsCreated(blob))

    def train(self, peer: SessionPeer, effect: Train) -> None:
        """Train for a while, unless this training is under way already, or the learner fails."""
        if peer.training == effect.base:
            return
        peer.training = effect.base
        if peer.name == self._plan.failing:
            peer.num_failures += 1
            self._clock.after(FAILING_S, self._failed, peer, peer.life, effect.base)
            return
        duration_s = TRAINING_S * self._slowness(peer) * self._chance.uniform(0.8, 1.2)
        base = self.vectors[effect.blob.digest]
        result = self.learn(peer.name, base), self.measure(peer.name, base), duration_s
        if peer.name not in (self._plan.hanging, self._plan.pretending):
            self._clock.after(duration_s, self._trained, peer, peer.life, effect.base, result)
        self._clock.after(
            PROGRESS_EVERY_S, self._progressed, peer, peer.life, effect.base, duration_s
        )

    def evaluate(self, peer: SessionPeer, effect: Evaluate) -> None:
        """Measure a head."""
        metrics = self.measure(peer.name, self.vectors[effect.blob.digest])
        event = EvaluationFinished(effect.head, metrics)
        self._clock.after(EVALUATING_S, self._answer, peer, peer.life, event)

    def combine(self, peer: SessionPeer, effect: Combine) -> None:
        """Combine weights, without those that fail the only gate: all numbers must be finite."""
        blobs = {item.name: item.blob for item in effect.inputs}
        if effect.merge is not None:
            blobs[effect.merge.name] = effect.merge.blob
        rejected = tuple(
            Rejection(name, "weights must be finite")
            for name, blob in blobs.items()
            if not self._finite(blob)
        )
        failed = {rejection.name for rejection in rejected}
        inputs = [item for item in effect.inputs if item.name not in failed]
        self._require_here(peer, effect, inputs)
        answer: Event
        if inputs:
            left = effect.merge if effect.merge and effect.merge.name not in failed else None
            blob = self._combined(peer, effect.base_blob, inputs, left)
            answer = Combined(effect.base, effect.cluster, blob, rejected)
        else:
            answer = CombineFailed(effect.base, effect.cluster, "nothing is left", rejected)
        if peer.name != self._plan.pretending:
            self._clock.after(self._plan.combining_s, self._answer, peer, peer.life, answer)

    def learn(self, _peer: PeerId, vector: Vector) -> Vector:
        """Train a vector: a random step, unless a subclass learns."""
        return tuple(w + self._chance.gauss(0, 1) for w in vector)

    def measure(self, peer: PeerId, vector: Vector) -> Metrics:
        """Metrics of a vector on a peer's test shard: any, but the same each time."""
        accuracy = random.Random(f"{peer} {vector}").random()  # noqa: S311 (reproducible)
        return Metrics(peer, accuracy, 1.0, 100)

    def keep(self, peer: SessionPeer, vector: Vector) -> BlobRef:
        """Put a vector in the peer's store."""
        digest = sha256_hex(repr(vector).encode())
        self.vectors[digest] = vector
        peer.store.add(digest)
        return BlobRef(digest, self._size_bytes)

    def _failed(self, peer: SessionPeer, life: int, base: Digest) -> None:
        if peer.alive and peer.life == life and peer.training == base:
            peer.training = None
            self._answer(peer, life, TrainingFailed(base, "the loss is nan"))

    def _slowness(self, peer: SessionPeer) -> float:
        """The multiple of the usual time that a peer's training takes now."""
        if peer.name == self.slowest and self._plan.slow_factor != 1:
            return self._plan.slow_factor
        speeds = self._plan.speeds
        if not speeds or self._clock.now_s < self._plan.slowed_at_s:
            return 1.0
        return speeds[peer.index % len(speeds)]

    def _progressed(
        self, peer: SessionPeer, life: int, base: Digest, duration_s: float, num_reports: int = 1
    ) -> None:
        """Report that training gets on, and again after a while."""
        done = num_reports * PROGRESS_EVERY_S / duration_s
        end = {self._plan.hanging: 0.5, self._plan.pretending: math.inf}.get(peer.name, 1.0)
        if done >= end or not peer.alive or peer.life != life or peer.training != base:
            return
        self._answer(peer, life, TrainingProgressed(base, done))
        again = peer, life, base, duration_s, num_reports + 1
        self._clock.after(PROGRESS_EVERY_S, self._progressed, *again)

    def _trained(
        self,
        peer: SessionPeer,
        life: int,
        base: Digest,
        result: tuple[Vector, Metrics, float],
    ) -> None:
        vector, metrics, duration_s = result
        if not peer.alive or peer.life != life or peer.training != base:
            return
        blob = self.keep(peer, vector)
        self.trained[peer.name, base][blob.digest] = vector
        event = TrainingFinished(
            base, blob, 100 + peer.index, duration_s * peer.clock_rate, metrics
        )
        self._answer(peer, life, event)

    def _combined(
        self,
        peer: SessionPeer,
        base: BlobRef,
        inputs: list[CombineInput],
        merge: MergeInput | None,
    ) -> BlobRef:
        h = self.vectors[base.digest]
        rows = []
        for item in inputs:
            row = self.vectors[item.blob.digest]
            if item.stale_base is not None:
                old = self.vectors[item.stale_base.digest]
                row = tuple(a + (w - b) for a, w, b in zip(h, row, old, strict=True))
            rows.append(row)
        vector = weighted_mean(rows, [item.weight for item in inputs])
        if merge is not None:
            branch = self.vectors[merge.blob.digest]
            vector = tuple(
                v + merge.share * (b - a) for v, b, a in zip(vector, branch, h, strict=True)
            )
        blob = self.keep(peer, vector)
        known = self.sources
        self.sources[blob.digest] = known.get(blob.digest, frozenset()).union(
            *(known.get(item.blob.digest, {item.blob.digest}) for item in inputs)
        )
        return blob

    def _finite(self, blob: BlobRef) -> bool:
        return all(map(math.isfinite, self.vectors[blob.digest]))

    def _require_here(
        self, peer: SessionPeer, effect: Combine, inputs: list[CombineInput]
    ) -> None:
        needed = [item.blob for item in inputs]
        needed += [item.stale_base for item in inputs if item.stale_base is not None]
        if effect.merge is not None or any(item.stale_base for item in inputs):
            needed.append(effect.base_blob)
        if effect.merge is not None:
            needed.append(effect.merge.blob)
        missing = [blob.digest for blob in needed if blob.digest not in peer.store]
        if missing:
            raise AssertionError(f"{peer.name} combines weights it does not have: {missing}")


def weighted_mean(vectors: list[Vector], weights: list[float]) -> Vector:
    """Mean of vectors by their weights: sum of weight times vector, over the sum of weights."""
    total = math.fsum(weights)
    return tuple(
        math.fsum(weight * number for weight, number in zip(weights, column, strict=True)) / total
        for column in zip(*vectors, strict=True)
    )
