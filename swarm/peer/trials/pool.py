"""TrialPool: runs as many trials at once as a peer has slots."""

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import trio

from swarm.learning.trials.records import TrialOutcome, TrialTask
from swarm.peer.trials.worker import (
    COMMAND,
    OnReport,
    TrialWorker,
    TrialWorkerStatistics,
    open_trial_worker,
)
from swarm.peer.worker_pipes import Log


@asynccontextmanager
async def open_trial_pool(
    slots: int, log: Log | None = None, command: tuple[str, ...] = COMMAND
) -> "AsyncIterator[TrialPool]":
    """Start a process for each slot; stop them at the end of the block.

    Args:
        slots: How many trials may run at once, at least 1.
        log: Where to say what happens.
        command: What runs trials.
    """
    if slots < 1:
        raise ValueError(f"slots must be at least 1, got {slots}")
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(open_trial_worker(log, command)) for _ in range(slots)
        ]
        yield TrialPool(workers)


class TrialPool:
    """Workers and who is free; made by `open_trial_pool`."""

    def __init__(self, workers: list[TrialWorker]) -> None:
        self._workers = workers
        self._free = list(workers)
        self._slots = trio.Semaphore(len(workers))
        self._running: dict[str, TrialWorker] = {}

    async def run(
        self,
        key: str,
        task: TrialTask,
        on_report: OnReport | None = None,
        *,
        limit_s: float = math.inf,
    ) -> TrialOutcome:
        """Run a trial as soon as a slot is free; see `TrialWorker.run`.

        Args:
            key: Names the trial for `stop`.
            task: What to run.
            on_report: Called after each epoch.
            limit_s: Seconds after which it is killed, from when it has a slot.
        """
        async with self._slots:
            # The one that was busy last is the one whose data is in the processor's caches.
            worker = self._running[key] = self._free.pop()
            try:
                return await worker.run(task, on_report, limit_s=limit_s)
            finally:
                if self._running.get(key) is worker:  # a broker may deliver a trial twice
                    del self._running[key]
                self._free.append(worker)

    def stop(self, key: str) -> None:
        """End a trial that has a slot before its next epoch; it has the value it had."""
        if key in self._running:
            self._running[key].stop()

    def statistics(self) -> tuple[TrialWorkerStatistics, ...]:
        """What each worker does, as immutable values."""
        return tuple(worker.statistics() for worker in self._workers)
