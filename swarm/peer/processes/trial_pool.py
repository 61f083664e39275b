"""TrialPool: runs as many trials at once as a peer has slots.

Theory of operation. Each slot is a process. A process gets its next trial while the present one
runs, so it never waits for a message between two short trials. The price is that a trial may wait
in a process behind a long one while another process is idle. So whenever a trial ends and leaves a
process idle, and no trial waits in the pool, all trials that wait in processes are taken back and
given out again. A process either gives a trial back or has begun it, never both. Trials beyond
`PER_PROCESS` for each slot wait in the pool, in the order in which they came.
"""

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
"""One trial that runs, and one that waits behind it."""


@asynccontextmanager
async def open_trial_pool(
    slots: int, log: Log | None = None, command: tuple[str, ...] = COMMAND
) -> "AsyncIterator[TrialPool]":
    """Start a process for each slot; stop them at the end of the block.

    Args:
        slots: Number of trials that may run at once, at least 1.
        log: Where to log what happens.
        command: Runs trials.
    """
    if slots < 1:
        raise ValueError(f"slots must be at least 1, got {slots}")
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(open_trial_worker(log, command)) for _ in range(slots)
        ]
        yield TrialPool(workers)


class TrialPool:
    """Shares trials out among workers; made by `open_trial_pool`.

    Invariants:
        At most `PER_PROCESS` trials for each process are out; the others wait here, in order.
        No trial waits here while a place is free.
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
            limit_s: Seconds after its start at which the trial is killed.
            on_begin: Called when the trial starts.
        """
        await self._take_place()
        try:
            outcome = None
            while outcome is None:
                # Of equals, the one that was busy last: its data is still in a processor's cache.
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
        """End a running trial before its next epoch; its value is that of the last one."""
        for worker in self._workers:
            worker.stop(key)

    def statistics(self) -> tuple[TrialWorkerStatistics, ...]:
        """Each worker's present state, as immutable values."""
        return tuple(worker.statistics() for worker in self._workers)

    async def _take_place(self) -> None:
        # Not a semaphore: trio's raises and catches an exception for each caller that waits, which
        # costs more than everything else here.
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
        """Take back the trials that wait in processes if another process is idle."""
        if self._queue or all(w.load for w in self._workers):
            return
        for worker in self._workers:
            worker.take_back()
