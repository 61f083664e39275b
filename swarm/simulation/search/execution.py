"""Execution: trials that take virtual time, report epochs and leave checkpoints."""

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.search.effects import DropTrial, PruneTrial, RunTrial, TrialFinished, TrialReported
from swarm.search.trial import (
    COMPLETE,
    PRUNED,
    EpochPoint,
    Trial,
    TrialId,
    TrialReport,
    TrialResult,
    failed,
)
from swarm.simulation.clock import Clock
from swarm.simulation.search.peers import StudyPeer

CHECKPOINT_BYTES = 100_000
EPOCHS_LOST_MAX = 2
"""Most epochs whose checkpoints may still have been on their way when a peer died."""
FAILURE_SHARE = 0.1
"""Share of settings that cannot be tried."""


class Execution:
    """Carries out `RunTrial` at every peer, and counts the starts of each trial.

    A trial takes `epochs` epochs of `epoch_s` seconds. With 0 epochs it takes the time of one, and
    reports nothing.
    """

    def __init__(
        self,
        clock: Clock,
        chance: random.Random,
        answer: Callable[[StudyPeer, int, Event], None],
        epochs: int,
        epoch_s: float,
        began: Callable[[StudyPeer, Trial], None],
    ) -> None:
        self.starts: Counter[TrialId] = Counter()
        self.resumed: list[int] = []
        """Epochs that a checkpoint saved, for each time that a trial went on elsewhere."""
        self.wasted: list[TrialId] = []
        """Trials that began again, although a checkpoint of a much later epoch had been sent."""
        self._furthest: Counter[TrialId] = Counter()
        self._clock = clock
        self._chance = chance
        self._answer = answer
        self._epochs = epochs
        self._epoch_s = epoch_s
        self._began = began
        self._progress: dict[str, tuple[TrialId, int]] = {}
        self._serial = 0
        self._begun: defaultdict[TrialId, set[tuple[PeerId, int]]] = defaultdict(set)

    def run(self, peer: StudyPeer, effect: RunTrial) -> None:
        """Queue a trial at a peer."""
        peer.queue.append(effect)
        self._fill_slots(peer)

    def prune(self, peer: StudyPeer, effect: PruneTrial) -> None:
        """End a trial after its present epoch."""
        peer.pruned.add(effect.trial)

    def drop(self, peer: StudyPeer, dropped: DropTrial) -> None:
        """Forget a trial."""
        peer.queue = [effect for effect in peer.queue if effect.trial.id != dropped.trial]
        peer.running.pop(dropped.trial, None)
        self._fill_slots(peer)

    def _fill_slots(self, peer: StudyPeer) -> None:
        while peer.queue and len(peer.running) < peer.slots:
            effect = peer.queue.pop(0)
            self._serial += 1
            trial = effect.trial
            peer.running[trial.id] = self._serial
            self.starts[trial.id] += 1
            done = self._epochs_behind(trial, effect.checkpoint)
            if done:
                self.resumed.append(done)
            if self._furthest[trial.id] - done > EPOCHS_LOST_MAX:
                self.wasted.append(trial.id)
            pace = self._chance.uniform(0.8, 1.2)
            self._next(peer, trial, self._serial, done, pace)
            self._began(peer, trial)

    def _epochs_behind(self, trial: Trial, checkpoint: BlobRef | None) -> int:
        if checkpoint is None:
            return 0
        owner, epochs = self._progress[checkpoint.digest]
        if owner != trial.id:
            raise AssertionError(f"a checkpoint of {owner} was given to {trial.id}")
        return epochs

    def _next(self, peer: StudyPeer, trial: Trial, serial: int, done: int, pace: float) -> None:
        delay_s = self._epoch_s * pace
        self._clock.after(
            delay_s, self._epoch_over, peer, peer.life, trial, serial, done + 1, pace
        )

    def _epoch_over(
        self, peer: StudyPeer, life: int, trial: Trial, serial: int, done: int, pace: float
    ) -> None:
        if not peer.alive or peer.life != life or peer.running.get(trial.id) != serial:
            return
        if peer.frozen:  # a stopped process computes nothing
            self._clock.after(0.5, self._epoch_over, peer, life, trial, serial, done, pace)
            return
        if done < self._epochs and trial.id not in peer.pruned:
            report = TrialReport(
                trial.id, _point(trial, done), self._checkpoint(peer, trial, done)
            )
            self._answer(peer, life, TrialReported(report))
            if peer.running.get(trial.id) == serial:
                self._next(peer, trial, serial, done, pace)
            return
        del peer.running[trial.id]
        state = PRUNED if done < self._epochs else COMPLETE
        peer.pruned.discard(trial.id)
        self._answer(peer, life, TrialFinished(_result(trial, state, done, self._epoch_s)))
        self._fill_slots(peer)

    def _checkpoint(self, peer: StudyPeer, trial: Trial, done: int) -> BlobRef:
        digest = sha256_hex(f"{trial.id} {done}".encode())
        self._progress[digest] = trial.id, done
        self._furthest[trial.id] = max(self._furthest[trial.id], done)
        peer.store.add(digest)
        return BlobRef(digest, CHECKPOINT_BYTES)


def true_value(trial: Trial, epoch: int) -> float | None:
    """What an honest peer measures; None for a setting that cannot be tried."""
    word = hashlib.sha256(repr((trial.model, trial.params)).encode()).digest()
    if word[0] / 256 < FAILURE_SHARE:
        return None
    return (1 - 0.5 ** (epoch + 1)) * int.from_bytes(word[1:5]) / 2**32


def _point(trial: Trial, epoch: int) -> EpochPoint:
    return EpochPoint(epoch, true_value(trial, epoch) or 0.0)


def _result(trial: Trial, state: str, epoch: int, duration_s: float) -> TrialResult:
    value = true_value(trial, epoch)
    if value is None:
        return failed(trial.id, "this setting cannot be tried", duration_s)
    curve = tuple(_point(trial, number) for number in range(1, epoch + 1))
    return TrialResult(trial.id, state, value, duration_s, curve=curve)
