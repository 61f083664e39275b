"""LocalProcesses: a backend that runs the programs as processes of this machine."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any, Protocol

import trio

from swarm.launch.dataset import have_dataset
from swarm.launch.free_ports import free_ports
from swarm.launch.launch_settings import LaunchSettings
from swarm.launch.output import OnLine, follow
from swarm.launch.programs import (
    Program,
    dashboard_program,
    fork_server_program,
    peer_programs,
)
from swarm.launch.summary import usage
from swarm.learning.datasets import ResolvedDataset
from swarm.learning.progress import Progress
from swarm.peer.processes.fork_server import is_supported, new_socket_path

OnProgress = Callable[[Progress], None]
Say = Callable[[str], None]


class Running(Protocol):
    """A program that was started."""

    async def wait(self) -> int:
        """Wait until it has ended and all its output was handed on; the exit code.

        Negative for the number of the signal that ended it.
        """
        ...

    async def wait_restarted(self) -> None:
        """Once it has ended, wait until somebody else has started it again; maybe for ever."""
        ...

    def stop(self) -> None:
        """Ask it to leave."""
        ...

    def kill(self) -> None:
        """End it, and whatever it has started, now."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """The programs of one run."""

    peers: list[Program]
    """The first starts the session."""
    dashboard: Program | None
    fork_server: Program | None = None
    """To be started before the peers, and stopped after them."""


class LocalProcesses:
    """Each program is a process of this machine, on a lifeline; see `attached`.

    The launcher calls the methods in the order in which they stand here.
    """

    name = "local processes"

    def __init__(self) -> None:
        self._ports: tuple[int, ...] = ()
        self._socket: Path | None = None

    async def prepare(self, settings: LaunchSettings, say: Say) -> None:
        """Find out whether the run is possible: find free ports.

        Raises:
            ConfigurationError: There are too few.
        """
        avoid = frozenset({settings.port})
        self._ports = free_ports(settings.base_port, settings.peers, avoid)

    async def have_dataset(
        self, settings: LaunchSettings, name: str, progress: OnProgress
    ) -> ResolvedDataset:
        """See `dataset.have_dataset`."""
        return await have_dataset(settings.data_dir, settings.cache_dir, name, progress)

    async def lay_out(
        self, settings: LaunchSettings, session: Mapping[str, Any], run: Path
    ) -> Layout:
        """Peers, dashboard, and a server that forks the peers' workers where that works."""
        self._socket = new_socket_path() if is_supported() else None
        return Layout(
            peers=peer_programs(settings, session, run, self._ports, self._socket),
            dashboard=dashboard_program(settings, run, self._ports)
            if settings.dashboard
            else None,
            fork_server=fork_server_program(run, self._socket) if self._socket else None,
        )

    async def start(
        self, nursery: trio.Nursery, program: Program, on_line: OnLine, on_output: OnLine
    ) -> Running:
        """Start a process in a session of its own, so that Ctrl-C reaches the launcher alone.

        Args:
            nursery: Where its output is read; the process does not outlive it.
            program: What to run; its stderr is kept in `program.log`.
            on_line: Called with each line of stderr.
            on_output: Called with each line of stdout.
        """
        program.folder.mkdir(parents=True, exist_ok=True)
        attached = () if program.watches_stdin else ("swarm.launch.attached",)
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

    async def collect(self, programs: Sequence[Program]) -> None:
        """Nothing to do: the peers write there themselves."""

    async def close(self) -> None:
        """Remove the fork server's socket, if it was killed while it loaded."""
        if self._socket is not None:
            shutil.rmtree(self._socket.parent, ignore_errors=True)

    def usage(self, settings: LaunchSettings, run: Path, dataset: str) -> list[str]:
        """See `summary.usage`."""
        return usage(run, dataset, settings.data_dir)


class _LocalProcess:
    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._ended = trio.Event()

    async def wait(self) -> int:
        await self._ended.wait()
        return self._process.returncode or 0

    async def wait_restarted(self) -> None:
        await trio.sleep_forever()  # a process has one life

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._kill_group()

    async def live(self, program: Program, on_line: OnLine, on_output: OnLine) -> None:
        """Hand on its output until it ends."""
        kill_children = self._kill_group  # who would hold the pipes open
        try:
            await follow(
                self._process, on_line, on_output, log=program.log, when_ended=kill_children
            )
        finally:
            self._kill_group()
            self._ended.set()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
