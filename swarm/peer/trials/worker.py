"""TrialWorker: a process that runs trials, as trio sees it. Every trial ends, within its limit."""

import math
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import trio

from swarm.core.errors import WorkerDiedError
from swarm.learning.trials.records import EpochReport, TrialOutcome, TrialTask
from swarm.peer.trials.frames import FRAMING, Ended, Message, Ready, Reported, RunTrial, StopTrial
from swarm.peer.worker_pipes import STOP_GRACE_S, Log, PipedProcess

COMMAND = (sys.executable, "-m", "swarm.peer.trials.process")
READY_WITHIN_S = 120.0
"""Loading scikit-learn takes a second or two, and much longer on a crowded machine."""
LEAVE_WITHIN_S = 2.0
"""So long may a trial that nobody waits for any more finish its epoch."""
LAST_WORDS_MAX = 10
"""Lines of the process's stderr that an error quotes."""

OnReport = Callable[[EpochReport], None]


@dataclass(frozen=True, slots=True)
class TrialWorkerStatistics:
    """A worker at one moment."""

    pid: int | None
    """None while no process runs."""
    restarts: int
    trials_done: int


@dataclass(slots=True, eq=False)
class _Call:
    """One trial under way."""

    number: int
    on_report: OnReport | None
    outcome: TrialOutcome | None = None
    over: trio.Event = field(default_factory=trio.Event)
    """Set once the process is done with it, or is no more."""


@dataclass(slots=True, eq=False)
class _Life:
    """One life of the process."""

    process: PipedProcess
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ready: trio.Event = field(default_factory=trio.Event)
    """Set, too, when it is no more."""
    writing: trio.Lock = field(default_factory=trio.Lock)
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_WORDS_MAX))
    call: _Call | None = None
    alive: bool = True

    def obituary(self) -> str:
        words = "; ".join(self.last_words) or "nothing"
        code = self.process.returncode
        return f"the trial's process ended with code {code}; it said: {words}"


class _Starting(Protocol):
    """What `_live` needs of trio's task status."""

    def started(self, value: _Life, /) -> None: ...


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
    """Runs one trial at a time in a process that lives on; made by `open_trial_worker`."""

    def __init__(
        self, nursery: trio.Nursery, log: Log | None = None, command: tuple[str, ...] = COMMAND
    ) -> None:
        self._nursery = nursery
        self._log = log
        self._command = command
        self._life: _Life | None = None
        self._turn = trio.Lock()
        self._starting = trio.Lock()
        self._num_calls = 0
        self._num_starts = 0
        self._trials_done = 0

    def prepare(self) -> None:
        """Have a process loaded soon, without waiting for it."""
        self._nursery.start_soon(self._prepare)

    async def run(
        self, task: TrialTask, on_report: OnReport | None = None, *, limit_s: float = math.inf
    ) -> TrialOutcome:
        """Run a trial after those before it; cancelling this call ends it.

        A trial that crashes the process, or takes longer than `limit_s`, has an outcome with an
        error; the next one finds a new process.

        Raises:
            WorkerDiedError: No process can be had, which is not the trial's fault.
        """
        async with self._turn:
            life = await self._loaded()
            self._num_calls += 1
            call = life.call = _Call(self._num_calls, on_report)
            started_s = trio.current_time()
            try:
                with trio.move_on_after(limit_s) as limit:
                    await self._send(life, RunTrial(call.number, task))
                    await call.over.wait()
            finally:
                call.on_report = None
                if not call.over.is_set():
                    self._nursery.start_soon(self._leave, life, call, limit.cancelled_caught)
            self._trials_done += 1
            if call.outcome is not None:
                return call.outcome
            self.prepare()
            spent_s = trio.current_time() - started_s
            reason = life.obituary()
            if limit.cancelled_caught:
                reason = f"the trial took longer than its limit of {limit_s:g} s and was killed"
            return TrialOutcome(None, {}, (), 0, spent_s, error=reason)

    def stop(self) -> None:
        """End the trial under way, if there is one, before its next epoch or fold."""
        life = self._life
        if life is not None and life.call is not None:
            self._nursery.start_soon(self._send, life, StopTrial(life.call.number))

    def statistics(self) -> TrialWorkerStatistics:
        """What is going on, as an immutable value."""
        return TrialWorkerStatistics(
            pid=self._life.process.pid if self._life else None,
            restarts=max(0, self._num_starts - 1),
            trials_done=self._trials_done,
        )

    async def _prepare(self) -> None:
        with suppress(WorkerDiedError):  # said again to who wants to run something
            await self._loaded()

    async def _loaded(self) -> _Life:
        """A process that is ready and idle."""
        async with self._starting:
            life = self._life
            if life is not None and life.call is not None:
                await life.call.over.wait()  # left alone by a cancelled run; soon over
            if life is None or not life.alive:
                started: _Life = await self._nursery.start(self._live)
                life = self._life = started
            with trio.move_on_after(READY_WITHIN_S):
                await life.ready.wait()
            if not life.alive or not life.ready.is_set():
                life.scope.cancel()
                raise WorkerDiedError(f"no process for trials can be started: {life.obituary()}")
            return life

    async def _leave(self, life: _Life, call: _Call, at_once: bool) -> None:
        """See that a trial ends which nobody waits for."""
        if not at_once:
            with trio.move_on_after(LEAVE_WITHIN_S):
                await self._send(life, StopTrial(call.number))
                await call.over.wait()
        if not call.over.is_set():
            life.scope.cancel()

    async def _send(self, life: _Life, message: Message) -> None:
        gone = (trio.BrokenResourceError, trio.ClosedResourceError)
        async with life.writing:
            with suppress(*gone):  # _live will say so
                await life.process.stdin.send_all(FRAMING.encode(message))

    async def _live(self, task_status: _Starting) -> None:
        """Run one process from start to end; whatever ends it, its trial is over."""
        process = PipedProcess(None, self._log, self._command)
        life = _Life(process)
        self._num_starts += 1
        try:
            with life.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(process.run)
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
            life.ready.set()
            if life.call is not None:
                life.call.over.set()

    async def _read(self, life: _Life) -> None:
        buffer = bytearray()
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in life.process.stdout:
                buffer += data
                for message in FRAMING.cut(buffer):
                    _take(life, message)

    async def _drain_stderr(self, life: _Life) -> None:
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


def _take(life: _Life, message: Message) -> None:
    if isinstance(message, Ready):
        life.ready.set()
        return
    call = life.call
    if call is None or not isinstance(message, Reported | Ended) or message.call != call.number:
        return
    if isinstance(message, Reported):
        if call.on_report is not None:
            call.on_report(message.report)
    else:
        call.outcome = message.outcome
        life.call = None
        call.over.set()
