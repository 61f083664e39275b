"""Engine: joins, exchanges weights and leaves, for a loop in any framework.

    weights = engine.begin()                       # the swarm's current model
    while training:
        ... train for a period ...
        weights = engine.exchange(arrays, period)  # hand in, wait for the others, go on
    engine.stop()

What a loop has learnt is never lost. If the session has no use for the weights yet, because this
peer is not in the cohort or the round is still open, the loop trains on. At a later exchange, what
it learnt is moved to the head that the session wants training from: head + (weights - reference).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from swarm.learning.federation.stale_updates import rebase
from swarm.learning.federation.weights_files import Weights
from swarm.learning.progress import Evaluation, Progress
from swarm.peer.federation.own_loop.layers import Array, Layers
from swarm.peer.federation.own_loop.loop_peer import LoopOptions, LoopPeer, LoopStatistics
from swarm.peer.federation.own_loop.loop_worker import LoopHead, LoopWorker, Work, write_result
from swarm.peer.federation.own_loop.running_call import RunningCall

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Period:
    """What the loop did since its last exchange."""

    num_examples: int
    train_accuracy: float | None = None
    train_loss: float | None = None


class Engine:
    """One loop's part in a swarm, for the thread that trains.

    Invariant: the weights in the loop's model are `reference` plus what it learnt since.
    """

    def __init__(
        self,
        options: LoopOptions,
        layers: Layers,
        arrays: Sequence[Array],
        patience_s: float,
        call: RunningCall | None = None,
    ) -> None:
        """Start the peer.

        Args:
            options: What the user set about the peer.
            layers: The model's weights.
            arrays: Their values, float32 copies; a swarm that this peer starts begins with them.
            patience_s: Longest wait for the other peers in one exchange.
            call: The peer leaves when this call ends.

        Raises:
            SwarmError: The peer cannot start.
        """
        self.finished = False
        """Whether the session's rounds are done."""
        self.round = 0
        """Round of the head that the loop trains from."""
        self._layers = layers
        self._patience_s = patience_s
        self._worker = LoopWorker(layers.weights(arrays))
        self._peer = LoopPeer(options, self._worker, call)
        self._base: str | None = None
        self._reference: Weights = {}
        self._measured: Evaluation | None = None
        self._num_examples = 0
        self._began_s = 0.0

    @property
    def address(self) -> str:
        """`ip:port` at which others join."""
        return self._peer.address

    @property
    def known(self) -> tuple[str, ...]:
        """After `stop`: where other peers were seen, as `ip:port`."""
        return self._peer.known

    def begin(self) -> list[Array]:
        """Wait for the swarm's current model.

        Raises:
            NetworkError: No peer has offered a session in time.
            ShapeMismatchError: The swarm trains another model.
            SwarmError: The peer ended.
        """
        head: LoopHead = self._peer.call(self._peer.first_head)
        self._layers.adopt_keys(head.weights)
        return self._take(head)

    def exchange(self, arrays: Sequence[Array], period: Period) -> list[Array] | None:
        """Hand in what the loop learnt, and wait for the next head.

        Args:
            arrays: The model's weights, float32 copies, in the order of `layers`.
            period: What the loop did since the last exchange.

        Returns:
            Weights to go on with; None to go on as it is.

        Raises:
            LearningError: A weight is not finite.
            SwarmError: The peer ended.
        """
        self._num_examples += period.num_examples
        if self.finished:
            return None
        mine = self._layers.weights(arrays)
        work: Work | None = self._peer.call(self._peer.wanted)
        if work is None:
            return None
        if work.head.round is None:
            return self._take(work.head)
        if work.head.path != self._base:
            mine = rebase(mine, self._reference, work.head.weights)
        trained = write_result(
            work,
            mine,
            num_examples=self._num_examples,
            duration_s=time.perf_counter() - self._began_s,
            train_accuracy=period.train_accuracy,
            train_loss=period.train_loss,
            evaluation=self._measured if work.head.path == self._base else None,
        )
        try:
            if not self._peer.call(self._peer.hand_in, work, trained, self._patience_s):
                Path(trained.path).unlink(missing_ok=True)
                return None
        except TimeoutError:
            log.warning("waiting", detail=f"no new model within {self._patience_s:g} s")
            return self._start_period(None, mine)
        return self._take(self._peer.call(self._peer.newest_head))

    def measure(self, evaluation: Evaluation) -> None:
        """Note how the model did that the loop began its period with."""
        self._measured = evaluation if self._base is not None else None

    def note_progress(self, progress: Progress) -> None:
        """Note how far the loop is in its period; cheap."""
        self._worker.progress = progress

    def statistics(self) -> LoopStatistics:
        """The swarm as this peer knows it.

        Raises:
            SwarmError: The peer ended.
        """
        return self._peer.call_sync(self._peer.statistics)

    def stop(self) -> None:
        """Leave the swarm. Stopping twice is harmless."""
        self._peer.stop()

    def _take(self, head: LoopHead) -> list[Array]:
        self.finished = head.round is None
        self.round = head.round if head.round is not None else self.round + 1
        return self._start_period(head.path, head.weights)

    def _start_period(self, base: str | None, weights: Weights) -> list[Array]:
        self._base, self._reference, self._measured = base, weights, None
        self._num_examples, self._began_s = 0, time.perf_counter()
        self.note_progress(Progress("training", 0.0))
        return self._layers.arrays(weights)
