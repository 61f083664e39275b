"""ProcessLife: one life of a child process; RestartedProcess: one life after another.

Theory of operation. A child process computes for the peer, so that neither a crash nor a busy
interpreter reaches the peer's network. The peer writes requests to its stdin and reads answers
from its stdout, both as frames (see `framing`); the last lines of its stderr explain its end.
A life ends when the process closes stdout, when it stops reading for longer than its patience, or
when it is cancelled. However it ends, the process is gone and `end` has been called before `run`
returns, so no request waits for an answer that cannot come. A process is started when it is
needed: after a death, the next request starts another one. Each workload says in a subclass what
answers mean (`take`) and what becomes of open requests (`end`).
"""

import math
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, Generic, TypeVar

import trio
from trio_typing import TaskStatus

from swarm.peer.processes.framing import Framing
from swarm.peer.processes.pipe_writer import PipeWriter
from swarm.peer.processes.pipes import STOP_GRACE_S, Log, PipedProcess

LAST_LINES_MAX = 10
"""Lines of the process's stderr that an error quotes."""
LINE_LENGTH_MAX = 500
UNFINISHED_LINE_MAX = 4096
"""Bytes; a process that never ends its line must not fill our memory."""
READ_BYTES_MAX = 64 * 1024
M = TypeVar("M")


class ProcessLife(ABC, Generic[M]):
    """One life of a child process that exchanges messages of type M."""

    name: str
    """What errors call the process."""
    said: ClassVar[str]
    """The log event of a line of its stderr."""
    patience_s: ClassVar[float] = math.inf
    """Longest time that the process may leave requests unread."""

    def __init__(self, framing: Framing[M], process: PipedProcess, log: Log | None) -> None:
        self._framing = framing
        self.log = log
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES_MAX)
        self._writer = PipeWriter(process.stdin)
        self.process = process
        self.scope = trio.CancelScope()
        """Ends the process when it is cancelled."""
        self.alive = True
        self.died = False
        """Whether the process ended by itself, or closed stdout; False if it was cancelled."""

    @abstractmethod
    def take(self, message: M) -> None:
        """Handle a message from the process."""

    @abstractmethod
    def end(self) -> None:
        """The process is gone: settle every open request."""

    def send(self, message: M) -> None:
        """Write a message to the process, without waiting.

        Raises:
            LocalProtocolError: The message is too long for a frame.
        """
        self._writer.put(self._framing.encode(message))

    def exit_reason(self) -> str:
        """Why the process ended, as far as is known."""
        code = "unknown" if self.process.returncode is None else self.process.returncode
        lines = "; ".join(self._last_lines) or "nothing"
        return f"{self.name} ended with code {code}; it said: {lines}"

    async def run(self, task_status: TaskStatus[None]) -> None:
        """Run the process from start to end."""
        try:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.process.run)
                    nursery.start_soon(self._write)
                    task_status.started()
                    async with trio.open_nursery() as reading:
                        reading.start_soon(self._drain_stderr)
                        await self._read()
                        self.died = True
                        # A process may close stdout without exiting, or leave stderr to a child.
                        reading.cancel_scope.deadline = trio.current_time() + STOP_GRACE_S
                        await self.process.wait()
                    nursery.cancel_scope.cancel()
        finally:
            self.alive = False
            await self.process.aclose()
            self.end()

    async def _write(self) -> None:
        try:
            await self._writer.run(self.patience_s)
        except trio.TooSlowError:
            self.scope.cancel()

    async def _read(self) -> None:
        buffer = bytearray()
        while data := await _receive(self.process.stdout.fileno()):
            buffer += data
            for message in self._framing.cut(buffer):
                self.take(message)

    async def _drain_stderr(self) -> None:
        rest = b""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in self.process.stderr:
                *lines, rest = (rest + data).split(b"\n")
                rest = rest[-UNFINISHED_LINE_MAX:]
                for line in lines:
                    text = line.decode(errors="replace")[:LINE_LENGTH_MAX]
                    self._last_lines.append(text)
                    if self.log is not None:
                        self.log.debug(self.said, pid=self.process.pid, line=text)


L = TypeVar("L", bound=ProcessLife[Any])


class RestartedProcess(Generic[L]):
    """A child process that is started when it is needed, and again after it has died."""

    def __init__(self, nursery: trio.Nursery, new_life: Callable[[], L]) -> None:
        """Start nothing yet.

        Args:
            nursery: Runs each life; cancelling it ends the process.
            new_life: Makes a life that has not been started.
        """
        self._nursery = nursery
        self._new_life = new_life
        self._life: L | None = None
        self._num_starts = 0
        self.starting = trio.Lock()
        """To be held around `start` and whatever makes a new process ready."""

    @property
    def life(self) -> L | None:
        """The present life; None while no process runs."""
        return self._life if self._life is not None and self._life.alive else None

    @property
    def pid(self) -> int | None:
        """None while no process runs."""
        return self.life.process.pid if self.life is not None else None

    @property
    def restarts(self) -> int:
        """Number of times that a process was started after another one."""
        return max(0, self._num_starts - 1)

    async def start(self) -> L:
        """Start a process; the caller has seen that none runs, and holds `starting`."""
        self._life = life = self._new_life()
        self._num_starts += 1
        await self._nursery.start(life.run)
        return life


async def _receive(pipe: int) -> bytes:
    """Whatever can be read, as soon as there is something; empty at the end."""
    while True:
        try:
            # A stream would first try to read in vain, which costs as much again.
            await trio.lowlevel.wait_readable(pipe)
            return os.read(pipe, READ_BYTES_MAX)
        except BlockingIOError:
            continue
        except (OSError, trio.ClosedResourceError):
            return b""
