"""TrialWorker: a process that runs trials, for trio. Every trial ends within its limit."""

import math
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import trio

from swarm.core.errors import WorkerDiedError
from swarm.learning.search.trial_records import TrialOutcome, TrialTask
from swarm.peer.processes.pipes import Log, PipedProcess
from swarm.peer.processes.process_life import RestartedProcess
from swarm.peer.processes.trial_frames import FRAMING
from swarm.peer.processes.trial_life import OnReport, TrialCall, TrialLife

COMMAND = (sys.executable, "-m", "swarm.peer.processes.trial_process")
READY_WITHIN_S = 120.0
"""Loading scikit-learn takes a second or two, and much longer on a crowded machine."""
LEAVE_WITHIN_S = 2.0
"""Time in which a trial whose caller was cancelled may finish its epoch before it is killed."""


@dataclass(frozen=True, slots=True)
class TrialWorkerStatistics:
    """A worker at one moment."""

    pid: int | None
    """None while no process runs."""
    restarts: int
    trials_done: int


@asynccontextmanager
async def open_trial_worker(
    log: Log | None = None, command: tuple[str, ...] = COMMAND
) -> "AsyncIterator[TrialWorker]":
    """Start a process for trials; stop it at the end of the block, whatever happens."""
    async with trio.open_nursery() as nursery:
        worker = TrialWorker(nursery, log, command)
        worker.prepare()
        try:
            yield worker
        finally:
            nursery.cancel_scope.cancel()


class TrialWorker:
    """Runs trials one after the other in a process that lives on; made by `open_trial_worker`.

    The next trials may wait in the process while one runs, so that it never waits for the peer.
    """

    def __init__(
        self, nursery: trio.Nursery, log: Log | None = None, command: tuple[str, ...] = COMMAND
    ) -> None:
        self._nursery = nursery
        self._process = RestartedProcess(
            nursery, lambda: TrialLife(FRAMING, PipedProcess(None, log, command), log)
        )
        self._turn = trio.Lock()
        self._in_line: dict[TrialCall, trio.CancelScope] = {}
        """Calls that no process has yet; their scopes end the waiting for the turn."""
        self._load = 0
        self._num_calls = 0
        self._trials_done = 0

    @property
    def load(self) -> int:
        """Number of trials that run or wait here."""
        return self._load

    def prepare(self) -> None:
        """Start and load a process in the background, if none is ready."""
        self._nursery.start_soon(self._prepare)

    async def run(
        self,
        task: TrialTask,
        on_report: OnReport | None = None,
        *,
        limit_s: float = math.inf,
        key: str = "",
        on_begin: Callable[[], None] | None = None,
    ) -> TrialOutcome | None:
        """Run a trial after those before it; cancelling this call ends the trial.

        A trial that crashes the process, or takes longer than `limit_s`, has an outcome with an
        error; the trials that waited behind it run in a new process.

        Args:
            task: What to run.
            on_report: Called after each epoch.
            limit_s: Seconds after its start at which the trial is killed.
            key: Names the trial for `stop`.
            on_begin: Called when the process is about to start the trial.

        Returns:
            The outcome; None if the trial was taken back before it began.

        Raises:
            WorkerDiedError: No process can be started, which is not the trial's fault.
        """
        self._load += 1
        try:
            while True:
                self._num_calls += 1
                call = TrialCall(self._num_calls, key, limit_s, on_report, on_begin)
                life = await self._give(task, call)
                if life is None:
                    return None
                spent_s, expired = await self._attend(life, call)
                if call.has_begun or call.withdrawn:
                    break  # otherwise its process ended with a trial before it
        finally:
            self._load -= 1
        if call.withdrawn:
            return None
        self._trials_done += 1
        if call.outcome is not None:
            return call.outcome
        self.prepare()
        reason = life.exit_reason()
        if expired:
            reason = f"the trial took longer than its limit of {limit_s:g} s and was killed"
        return TrialOutcome(None, {}, (), 0, spent_s, error=reason)

    def stop(self, key: str | None = None) -> None:
        """End the running trial before its next epoch, if there is one and this is its key."""
        life = self._process.life
        call = life.running if life is not None else None
        if life is not None and call is not None and key in {None, call.key}:
            life.stop(call)

    def take_back(self) -> None:
        """Take back the trials that wait behind another one, unless they begin first.

        Their `run` returns None.
        """
        for call, scope in self._in_line.items():
            call.recalled = True
            scope.cancel()
        life = self._process.life
        if life is not None:
            for call in life.waiting:
                life.take_back(call)

    def statistics(self) -> TrialWorkerStatistics:
        """The worker's present state, as an immutable value."""
        return TrialWorkerStatistics(
            pid=self._process.pid,
            restarts=self._process.restarts,
            trials_done=self._trials_done,
        )

    # -- the process

    async def _prepare(self) -> None:
        with suppress(WorkerDiedError):  # raised again for the next trial
            await self._loaded()

    async def _loaded(self) -> TrialLife:
        """A process that is ready."""
        async with self._process.starting:
            life = self._process.life or await self._process.start()
            with trio.move_on_after(READY_WITHIN_S):
                await life.ready.wait()
            if not life.alive or not life.ready.is_set():
                life.scope.cancel()
                raise WorkerDiedError(
                    f"no process for trials can be started: {life.exit_reason()}"
                )
            return life

    # -- its trials

    async def _give(self, task: TrialTask, call: TrialCall) -> TrialLife | None:
        """Send a trial to the process; without waiting, if it is ready and no trial is in line.

        Returns:
            The life that has it; None if it was taken back before any process had it.
        """
        life = self._process.life
        if life is not None and life.ready.is_set() and not self._turn.locked():
            life.give(task, call)
            return life
        try:
            with trio.CancelScope() as self._in_line[call]:
                await self._turn.acquire()
            if self._in_line[call].cancelled_caught:
                return None
            try:
                life = await self._loaded()
                life.give(task, call)
            finally:
                self._turn.release()
        finally:
            del self._in_line[call]
        if call.recalled and life.running is not call:
            life.take_back(call)
        return life

    async def _attend(self, life: TrialLife, call: TrialCall) -> tuple[float, bool]:
        """Wait until a trial is over; return its run time, and whether that was too long."""
        try:
            with call.limit:
                await call.over.wait()
        finally:
            call.on_report = call.on_begin = None
            if not call.over.is_set():
                self._nursery.start_soon(self._leave, life, call, call.limit.cancelled_caught)
        now_s = trio.current_time()
        began_s = call.began_s if call.began_s is not None else now_s
        return now_s - began_s, call.limit.cancelled_caught

    async def _leave(self, life: TrialLife, call: TrialCall, at_once: bool) -> None:
        """End a trial whose caller no longer waits for it."""
        self._load += 1
        try:
            if not at_once:
                life.stop(call)
                await call.turn.wait()
                with trio.move_on_after(LEAVE_WITHIN_S):
                    await call.over.wait()
            if not call.over.is_set():
                life.scope.cancel()
                await call.over.wait()
        finally:
            self._load -= 1
