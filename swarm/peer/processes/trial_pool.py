"""TrialPool: runs as many trials at once as a peer has slots."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import trio

from swarm.learning.search.trial_records import TrialOutcome, TrialTask
from swarm.peer.processes.pipes import Log
from swarm.peer.processes.trial_life import OnReport
from swarm.peer.processes.trial_worker import (
    COMMAND,
    TrialWorker,
    TrialWorkerStatistics,
    open_trial_worker,
)

PER_PROCESS = 2
"""One trial that runs, and one that waits for nothing else."""


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
    """Workers and what each of them has; made by `open_trial_pool`.

    A process has its next trial before it is done with the last one. Who has nothing to do gets
    what waits behind another's long trial.

    Invariants:
        No more trials are at the processes than `PER_PROCESS` for each; others wait, in order.
        Nobody waits while a place is left.
    """

    def __init__(self, workers: list[TrialWorker]) -> None:
        self._workers = workers
        self._places_left = PER_PROCESS * len(workers)
        self._queue = trio.lowlevel.ParkingLot()

    async def run(
        self,
        key: str,
        task: TrialTask,
        on_report: OnReport | None = None,
        *,
        limit_s: float = math.inf,
        on_begin: Callable[[], None] | None = None,
    ) -> TrialOutcome:
        """Run a trial as soon as a slot is free; see `TrialWorker.run`.

        Args:
            key: Names the trial for `stop`.
            task: What to run.
            on_report: Called after each epoch.
            limit_s: Seconds after which it is killed, from when it has a slot.
            on_begin: Called when it has one.
        """
        await self._take_place()
        try:
            outcome = None
            while outcome is None:
                # The one that was busy last is the one whose data is in the processor's caches.
                worker = min(reversed(self._workers), key=lambda worker: worker.load)
                self._workers.remove(worker)
                self._workers.append(worker)
                try:
                    outcome = await worker.run(
                        task, on_report, limit_s=limit_s, key=key, on_begin=on_begin
                    )
                finally:
                    self._spread()
            return outcome
        finally:
            self._give_place()

    def stop(self, key: str) -> None:
        """End a trial that has begun before its next epoch; it has the value it had."""
        for worker in self._workers:
            worker.stop(key)

    def statistics(self) -> tuple[TrialWorkerStatistics, ...]:
        """What each worker does, as immutable values."""
        return tuple(worker.statistics() for worker in self._workers)

    async def _take_place(self) -> None:
        # Not a semaphore: who has to wait there has an exception raised and caught for it first,
        # which is dearer than the rest.
        if self._places_left:
            self._places_left -= 1
        else:
            await self._queue.park()

    def _give_place(self) -> None:
        if self._queue:
            self._queue.unpark()
        else:
            self._places_left += 1

    def _spread(self) -> None:
        """Have trials back that wait in a process while another one idles."""
        if self._queue or all(w.load for w in self._workers):
            return
        for worker in self._workers:
            worker.take_back()
