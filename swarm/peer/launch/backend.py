"""Backend: where the programs of a run run. LocalProcesses is the only one so far."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from subprocess import PIPE
from typing import Protocol

import trio

from swarm.peer.launch.programs import Program

LINE_BYTES_MAX = 65_536
"""A program that never ends its line must not fill our memory."""

OnLine = Callable[[str], None]


class Running(Protocol):
    """A program that was started."""

    @property
    def pid(self) -> int:
        """Its process id, for people."""
        ...

    async def wait(self) -> int:
        """Wait until it has ended and all its output was handed on; the exit code.

        Negative for the number of the signal that ended it.
        """
        ...

    def stop(self) -> None:
        """Ask it to leave."""
        ...

    def kill(self) -> None:
        """End it, and whatever it has started, now."""
        ...


class Backend(Protocol):
    """Starts programs; each is stopped or killed through what `start` returns."""

    name: str
    """For people, as in "local processes"."""

    async def start(
        self, nursery: trio.Nursery, program: Program, on_line: OnLine, on_output: OnLine
    ) -> Running:
        """Start a program; whatever happens, it does not outlive the nursery.

        Args:
            nursery: Where its output is read.
            program: What to run; its stderr is kept in `program.log`.
            on_line: Called with each line of stderr.
            on_output: Called with each line of stdout.
        """
        ...


class LocalProcesses:
    """Each program is a process of this machine, on a lifeline; see `attached`."""

    name = "local processes"

    async def start(
        self, nursery: trio.Nursery, program: Program, on_line: OnLine, on_output: OnLine
    ) -> Running:
        """Start a process in a session of its own, so that Ctrl-C reaches the launcher alone."""
        program.folder.mkdir(parents=True, exist_ok=True)
        attached = () if program.watches_stdin else ("swarm.peer.launch.attached",)
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", *attached, program.module, *program.arguments],
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        running = _LocalProcess(process)
        nursery.start_soon(running.live, program, on_line, on_output)
        return running


def choose_backend(*, no_docker: bool) -> tuple[Backend, str]:
    """The backend for this machine, and why."""
    if no_docker:
        return LocalProcesses(), "--no-docker"
    if shutil.which("docker") is not None:
        return LocalProcesses(), "containers are not supported yet"
    return LocalProcesses(), "there is no Docker here"


class _LocalProcess:
    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._ended = trio.Event()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        await self._ended.wait()
        return self._process.returncode or 0

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._kill_group()

    async def live(self, program: Program, on_line: OnLine, on_output: OnLine) -> None:
        """Hand on its output until it ends."""
        process = self._process
        assert process.stdout is not None  # noqa: S101 - opened with pipes
        assert process.stderr is not None  # noqa: S101
        try:
            with program.log.open("a", encoding="utf-8") as log:

                def keep(line: str) -> None:
                    log.write(line + "\n")
                    log.flush()
                    on_line(line)

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_read_lines, process.stderr, keep)
                    nursery.start_soon(_read_lines, process.stdout, on_output)
                    await process.wait()
                    self._kill_group()  # its children, who would hold the pipes open
        finally:
            self._kill_group()
            with trio.CancelScope(shield=True):
                await process.wait()
            self._ended.set()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


async def _read_lines(stream: trio.abc.ReceiveStream, on_line: OnLine) -> None:
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[-LINE_BYTES_MAX:]
        for line in lines:
            on_line(line.decode(errors="replace"))
    if rest:
        on_line(rest.decode(errors="replace"))
