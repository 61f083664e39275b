"""TrialWorker: a process that runs trials, as trio sees it. Every trial ends, within its limit."""

import math
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import trio

from swarm.core.errors import WorkerDiedError
from swarm.learning.search.trial_records import TrialOutcome, TrialTask
from swarm.peer.processes.pipe_writer import Outlet
from swarm.peer.processes.pipes import STOP_GRACE_S, Log, PipedProcess
from swarm.peer.processes.trial_frames import FRAMING
from swarm.peer.processes.trial_process_life import Call, Life, OnReport

COMMAND = (sys.executable, "-m", "swarm.peer.processes.trial_process")
READY_WITHIN_S = 120.0
"""Loading scikit-learn takes a second or two, and much longer on a crowded machine."""
READ_BYTES_MAX = 64 * 1024
LEAVE_WITHIN_S = 2.0
"""So long may a trial that nobody waits for any more finish its epoch."""


@dataclass(frozen=True, slots=True)
class TrialWorkerStatistics:
    """A worker at one moment."""

    pid: int | None
    """None while no process runs."""
    restarts: int
    trials_done: int


class _Starting(Protocol):
    """What `_live` needs of trio's task status."""

    def started(self, value: Life, /) -> None: ...


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

    The next ones may wait in the process while one runs, so that it never waits for us.
    """

    def __init__(
        self, nursery: trio.Nursery, log: Log | None = None, command: tuple[str, ...] = COMMAND
    ) -> None:
        self._nursery = nursery
        self._log = log
        self._command = command
        self._life: Life | None = None
        self._turn = trio.Lock()
        self._in_line: dict[Call, trio.CancelScope] = {}
        """Calls that no process has yet; their scopes end the waiting for the turn."""
        self._starting = trio.Lock()
        self._load = 0
        self._num_calls = 0
        self._num_starts = 0
        self._trials_done = 0

    @property
    def load(self) -> int:
        """Trials that run or wait here."""
        return self._load

    def prepare(self) -> None:
        """Have a process loaded soon, without waiting for it."""
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
        """Run a trial after those before it; cancelling this call ends it.

        A trial that crashes the process, or takes longer than `limit_s`, has an outcome with an
        error; those that waited behind it run in a new process.

        Args:
            task: What to run.
            on_report: Called after each epoch.
            limit_s: Seconds after which it is killed, from when it begins.
            key: Names it for `stop`.
            on_begin: Called when the process is about to take it up.

        Returns:
            What came of it; None if it was taken back before it began.

        Raises:
            WorkerDiedError: No process can be had, which is not the trial's fault.
        """
        self._load += 1
        try:
            while True:
                self._num_calls += 1
                call = Call(self._num_calls, key, limit_s, on_report, on_begin)
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
        """End the trial under way, if there is one and this is its key, before its next epoch."""
        life = self._life
        call = life.running if life is not None else None
        if life is not None and call is not None and key in {None, call.key}:
            life.stop(call)

    def take_back(self) -> None:
        """Have the trials back that wait behind another one, unless they begin first.

        Their `run` says None.
        """
        for call, scope in self._in_line.items():
            call.recalled = True
            scope.cancel()
        life = self._life
        if life is not None:
            for call in life.waiting:
                life.take_back(call)

    def statistics(self) -> TrialWorkerStatistics:
        """What is going on, as an immutable value."""
        return TrialWorkerStatistics(
            pid=self._life.process.pid if self._life else None,
            restarts=max(0, self._num_starts - 1),
            trials_done=self._trials_done,
        )

    # -- the process

    async def _prepare(self) -> None:
        with suppress(WorkerDiedError):  # said again to who wants to run something
            await self._loaded()

    async def _loaded(self) -> Life:
        """A process that is ready."""
        async with self._starting:
            life = self._life
            if life is not None and life.alive and life.ready.is_set():
                return life
            if life is None or not life.alive:
                started: Life = await self._nursery.start(self._live)
                life = self._life = started
            with trio.move_on_after(READY_WITHIN_S):
                await life.ready.wait()
            if not life.alive or not life.ready.is_set():
                life.scope.cancel()
                raise WorkerDiedError(
                    f"no process for trials can be started: {life.exit_reason()}"
                )
            return life

    async def _live(self, task_status: _Starting) -> None:
        """Run one process from start to end; whatever ends it, its trials are over."""
        process = PipedProcess(None, self._log, self._command)
        life = Life(process, Outlet(process.stdin))
        self._num_starts += 1
        try:
            with life.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(process.run)
                    nursery.start_soon(self._write, life)
                    task_status.started(life)
                    async with trio.open_nursery() as reading:
                        reading.start_soon(self._drain_stderr, life)
                        await self._read(life)
                        # Nobody waits for who closes stdout and stays.
                        reading.cancel_scope.deadline = trio.current_time() + STOP_GRACE_S
                        await process.wait()
                    nursery.cancel_scope.cancel()
        finally:
            life.alive = False
            await process.aclose()
            life.end()

    async def _read(self, life: Life) -> None:
        buffer = bytearray()
        while data := await _receive(life.process.stdout.fileno()):
            buffer += data
            for message in FRAMING.cut(buffer):
                life.take(message)

    async def _write(self, life: Life) -> None:
        try:
            await life.outlet.run()
        except trio.TooSlowError:
            life.scope.cancel()

    async def _drain_stderr(self, life: Life) -> None:
        rest = b""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in life.process.stderr:
                *lines, rest = (rest + data).split(b"\n")
                rest = rest[-4096:]  # who never ends a line must not fill our memory
                for line in lines:
                    text = line.decode(errors="replace")[:500]
                    life.last_words.append(text)
                    if self._log is not None:
                        self._log.debug("trial said", pid=life.process.pid, line=text)

    # -- its trials

    async def _give(self, task: TrialTask, call: Call) -> Life | None:
        """Send a trial to the process; without waiting, if there is one that nobody waits for.

        Returns:
            Who has it now; None if it was taken back before anybody did.
        """
        life = self._life
        if life is not None and life.alive and life.ready.is_set() and not self._turn.locked():
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

    async def _attend(self, life: Life, call: Call) -> tuple[float, bool]:
        """Wait until a trial is over; return how long it ran, and whether that was too long."""
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

    async def _leave(self, life: Life, call: Call, at_once: bool) -> None:
        """See that a trial ends which nobody waits for."""
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


async def _receive(pipe: int) -> bytes:
    """What there is to read, as soon as there is anything; nothing at the end."""
    while True:
        try:
            # A stream would try to read first, in vain, which costs as much again.
            await trio.lowlevel.wait_readable(pipe)
            return os.read(pipe, READ_BYTES_MAX)
        except BlockingIOError:
            continue
        except (OSError, trio.ClosedResourceError):
            return b""
