"""LearnerWorker: a peer's worker process, for trio. Calls return or raise; they never hang."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import trio

from swarm.core import errors
from swarm.core.errors import LearningError, LocalProtocolError, SwarmError, WorkerDiedError
from swarm.learning import errors as learning_errors
from swarm.learning.federation import jobs
from swarm.learning.progress import OnProgress
from swarm.peer.processes.learner_frames import (
    CancelTraining,
    Done,
    Failed,
    FrameReader,
    Message,
    Progressed,
    Request,
    encode_frame,
)
from swarm.peer.processes.pipes import STOP_GRACE_S, Log, PipedProcess

OUTBOX_MAX = 64
"""Frames; a driver has a handful of calls outstanding."""
LAST_WORDS_MAX = 10
"""Lines of the worker's stderr that an error message quotes."""

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """A worker at one moment."""

    pid: int | None
    """None while no process runs."""
    restarts: int
    jobs_done: int
    jobs_failed: int
    calls_outstanding: int


@dataclass(slots=True, eq=False)
class _Call:
    """One outstanding call."""

    on_progress: OnProgress | None
    answered: trio.Event = field(default_factory=trio.Event)
    reply: jobs.Reply | None = None
    error: SwarmError | None = None

    def resolve(self, reply: jobs.Reply | None, error: SwarmError | None) -> None:
        self.reply, self.error = reply, error
        self.answered.set()


@dataclass(slots=True, eq=False)
class _Process:
    """One life of the worker process."""

    process: PipedProcess
    outbox: trio.MemorySendChannel[bytes]
    calls: dict[int, _Call] = field(default_factory=dict)
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_WORDS_MAX))
    alive: bool = True


class _Starting(Protocol):
    """What `_live` needs of trio's task status."""

    def started(self, value: _Process, /) -> None: ...


@asynccontextmanager
async def open_worker(
    log: Log | None = None, fork_server: Path | None = None
) -> "AsyncIterator[LearnerWorker]":
    """Start a worker process; stop it at the end of the block, whatever happens.

    The process loads Keras at once, so open it before it is known what to train.

    Args:
        log: Where to say what happens to it.
        fork_server: Socket of a `swarm.peer.processes.fork_server`; if that cannot give one
            this process starts its own, as without.
    """
    async with trio.open_nursery() as nursery:
        worker = LearnerWorker(nursery, log, fork_server)
        await worker.start()
        try:
            yield worker
        finally:
            nursery.cancel_scope.cancel()


class LearnerWorker:
    """Calls into the worker process; made by `open_worker`.

    Calls may overlap: a `combine` is answered in the middle of a `train`. Each raises

    - `WorkerDiedError` if the process ended first. The next call starts a new process and
      initialises it as the last one was.
    - the error of `swarm.core.errors` or `swarm.learning.errors` that ended the job, or
      `LearningError` with the foreign error's name and message.
    """

    def __init__(
        self, nursery: trio.Nursery, log: Log | None = None, fork_server: Path | None = None
    ) -> None:
        self._nursery = nursery
        self._log = log
        self._fork_server = fork_server
        self._process: _Process | None = None
        self._starting = trio.Lock()
        self._initialise: jobs.Initialise | None = None
        self._num_calls = 0
        self._num_starts = 0
        self._jobs_done = 0
        self._jobs_failed = 0

    async def start(self) -> None:
        """Have a process running, initialised as the last one was."""
        await self._running(initialise=True)

    async def initialise(
        self, job: jobs.Initialise, on_progress: OnProgress | None = None
    ) -> jobs.Initialised:
        """Build the model, read the data; repeated by itself after the process died."""
        process = await self._running(initialise=False)
        reply = await self._exchange(process, job, jobs.Initialised, on_progress)
        self._initialise = job
        return reply

    async def create_weights(self, job: jobs.CreateWeights) -> jobs.WeightsWritten:
        """Write the session's initial weights."""
        return await self._call(job, jobs.WeightsWritten)

    async def train(self, job: jobs.Train, on_progress: OnProgress | None = None) -> jobs.Trained:
        """Evaluate the base and train it; cancelling this call cancels the training.

        Raises:
            TrainingCancelledError: `cancel_training` was called.
        """
        return await self._call(job, jobs.Trained, on_progress)

    def cancel_training(self) -> None:
        """End every outstanding training between two batches; its call raises."""
        if self._process is not None:
            for call in self._process.calls:
                _send_cancel(self._process, call)

    async def evaluate(self, job: jobs.EvaluateWeights) -> jobs.Evaluation:
        """Evaluate weights on the test shard; waits for an outstanding training."""
        return await self._call(job, jobs.Evaluation)

    async def combine(self, job: jobs.Combine) -> jobs.Combined:
        """Combine members' weights; done between the batches of an outstanding training."""
        return await self._call(job, jobs.Combined)

    async def export(self, job: jobs.Export) -> jobs.Exported:
        """Write a `.keras` file; waits for an outstanding training."""
        return await self._call(job, jobs.Exported)

    def statistics(self) -> WorkerStatistics:
        """What is going on, as an immutable value."""
        process = self._process
        return WorkerStatistics(
            pid=process.process.pid if process else None,
            restarts=max(0, self._num_starts - 1),
            jobs_done=self._jobs_done,
            jobs_failed=self._jobs_failed,
            calls_outstanding=len(process.calls) if process else 0,
        )

    async def _call(
        self, job: jobs.Job, reply_type: type[R], on_progress: OnProgress | None = None
    ) -> R:
        process = await self._running(initialise=True)
        return await self._exchange(process, job, reply_type, on_progress)

    async def _running(self, *, initialise: bool) -> _Process:
        async with self._starting:
            process = self._process
            if process is None or not process.alive:
                started: _Process = await self._nursery.start(self._live)
                process = self._process = started
                if initialise and self._initialise is not None:
                    await self._exchange(process, self._initialise, jobs.Initialised, None)
            return process

    async def _exchange(
        self, process: _Process, job: jobs.Job, reply_type: type[R], on_progress: OnProgress | None
    ) -> R:
        self._num_calls += 1
        number, call = self._num_calls, _Call(on_progress)
        frame = encode_frame(Request(number, job))
        if not process.alive:
            raise WorkerDiedError("the worker process ended before it was asked")
        process.calls[number] = call
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await process.outbox.send(frame)  # if broken, _live resolves the call
            await call.answered.wait()
        finally:
            process.calls.pop(number, None)
            if not call.answered.is_set() and isinstance(job, jobs.Train):
                _send_cancel(process, number)
        if call.error is not None:
            self._jobs_failed += 1
            raise call.error
        if not isinstance(call.reply, reply_type):
            raise LocalProtocolError(f"{type(job).__name__} was answered by {call.reply!r:.200}")
        self._jobs_done += 1
        return call.reply

    async def _live(self, task_status: _Starting) -> None:
        """Run one process from start to end; whatever ends it, its calls are resolved."""
        process = PipedProcess(self._fork_server, self._log)
        send_frame, receive_frame = trio.open_memory_channel[bytes](OUTBOX_MAX)
        life = _Process(process, send_frame)
        self._num_starts += 1
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(process.run)
                nursery.start_soon(_write, process, receive_frame)
                task_status.started(life)
                async with trio.open_nursery() as reading:
                    reading.start_soon(self._drain_stderr, life)
                    await self._read(life)
                    # Nobody waits for who closes stdout and stays, or leaves stderr to a child.
                    reading.cancel_scope.deadline = trio.current_time() + STOP_GRACE_S
                    await process.wait()
                nursery.cancel_scope.cancel()
        finally:
            life.alive = False
            self._process = None if self._process is life else self._process
            send_frame.close()
            await process.aclose()
            self._bury(life)

    async def _read(self, life: _Process) -> None:
        reader = FrameReader()
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in life.process.stdout:
                for message in reader.feed(data):
                    self._take(life, message)

    def _take(self, life: _Process, message: Message) -> None:
        call = life.calls.get(message.call)
        if call is None:
            return  # nobody waits for it any more
        match message:
            case Progressed(progress=progress) if call.on_progress is not None:
                call.on_progress(progress)
            case Done(reply=reply):
                call.resolve(reply, None)
            case Failed(error_class=name, message=text):
                call.resolve(None, _error(name, text))

    async def _drain_stderr(self, life: _Process) -> None:
        rest = b""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in life.process.stderr:
                *lines, rest = (rest + data).split(b"\n")
                rest = rest[-4096:]  # a worker that never ends its line must not fill our memory
                for line in lines:
                    text = line.decode(errors="replace")[:500]
                    life.last_words.append(text)
                    if self._log is not None:
                        self._log.debug("worker said", pid=life.process.pid, line=text)

    def _bury(self, life: _Process) -> None:
        words = "; ".join(life.last_words) or "nothing"
        code = life.process.returncode
        text = (
            f"the worker process ended with code {'unknown' if code is None else code}; "
            f"it said: {words}"
        )
        if self._log is not None and life.calls:
            self._log.warning("worker died", pid=life.process.pid, reason=text)
        for call in life.calls.values():
            if not call.answered.is_set():
                call.resolve(None, WorkerDiedError(text))


async def _write(process: PipedProcess, frames: trio.MemoryReceiveChannel[bytes]) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for frame in frames:
            await process.stdin.send_all(frame)


def _send_cancel(process: _Process, call: int) -> None:
    gone = (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError)
    with suppress(*gone):
        process.outbox.send_nowait(encode_frame(CancelTraining(call)))


def _error(class_name: str, message: str) -> SwarmError:
    for module in (errors, learning_errors):
        found = getattr(module, class_name, None)
        if isinstance(found, type) and issubclass(found, SwarmError):
            return found(message)
    return LearningError(f"{class_name}: {message}")
