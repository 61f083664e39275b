"""Backend: where the programs of a run are executed.

`LocalProcesses` runs them as processes, `container_backend.Containers` in containers.
"""

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

from swarm.launch.dataset import prepare_dataset
from swarm.launch.free_ports import free_ports
from swarm.launch.launch_settings import LaunchSettings
from swarm.launch.process_output import OnLine, follow
from swarm.launch.programs import (
    Program,
    dashboard_program,
    fork_server_program,
    peer_programs,
)
from swarm.launch.run_summary import usage
from swarm.learning.datasets import ResolvedDataset
from swarm.learning.progress import Progress
from swarm.peer.processes.cores import THREADS_VARIABLE
from swarm.peer.processes.fork_server import is_supported, new_socket_path

OnProgress = Callable[[Progress], None]
Say = Callable[[str], None]


class Running(Protocol):
    """A program that was started."""

    async def wait(self) -> int:
        """Wait until it has ended and all its output was read; return the exit code.

        If a signal ended it, the exit code is the negative number of that signal.
        """
        ...

    async def wait_restarted(self) -> None:
        """After its end, wait until a user has started it again; this may never happen."""
        ...

    def stop(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """Kill it and all processes that it has started."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """The programs of one run."""

    peers: list[Program]
    """The first peer starts the session."""
    dashboard: Program | None
    fork_server: Program | None = None
    """Started before the peers and stopped after them."""


class Backend(Protocol):
    """Starts programs. `start` returns a handle that stops or kills one of them.

    The methods are called in the order in which they are listed here.
    """

    name: str
    """Name for users, such as "local processes"."""

    async def prepare(self, settings: LaunchSettings, say: Say) -> None:
        """Check that the run is possible, and get ready for it."""
        ...

    async def prepare_dataset(
        self, settings: LaunchSettings, name: str, progress: OnProgress
    ) -> ResolvedDataset:
        """Make a built-in data set available where the peers will look for it."""
        ...

    async def lay_out(
        self, settings: LaunchSettings, session: Mapping[str, Any], run: Path
    ) -> Layout:
        """Return the programs to start.

        Args:
            settings: The settings of the run.
            session: Fields of the session.
            run: Folder of the run, for its results.
        """
        ...

    async def start(
        self, nursery: trio.Nursery, program: Program, on_line: OnLine, on_output: OnLine
    ) -> Running:
        """Start a program. It never outlives the nursery.

        Args:
            nursery: Nursery of the tasks that read its output.
            program: Program to run; its stderr is written to `program.log`.
            on_line: Called with each line of stderr.
            on_output: Called with each line of stdout.
        """
        ...

    async def collect(self, programs: Sequence[Program]) -> None:
        """Copy the peers' reports and models to the paths that their programs name."""
        ...

    async def close(self) -> None:
        """Remove what the run no longer needs. All programs have ended."""
        ...

    def usage(self, settings: LaunchSettings, run: Path, dataset: str) -> list[str]:
        """Return shell lines that load and evaluate the model, ready to paste."""
        ...


class LocalProcesses:
    """Runs each program as a process of this machine, on a lifeline (see `lifeline`)."""

    name = "local processes"

    def __init__(self) -> None:
        self._ports: tuple[int, ...] = ()
        self._socket: Path | None = None
        self._threads = 1

    async def prepare(self, settings: LaunchSettings, say: Say) -> None:
        """Find free ports.

        Raises:
            ConfigurationError: There are not enough free ports.
        """
        avoid = frozenset({settings.port})
        self._ports = free_ports(settings.base_port, settings.peers, avoid)
        self._threads = settings.threads_each

    async def prepare_dataset(
        self, settings: LaunchSettings, name: str, progress: OnProgress
    ) -> ResolvedDataset:
        """See `dataset.prepare_dataset`."""
        return await prepare_dataset(settings.data_dir, settings.cache_dir, name, progress)

    async def lay_out(
        self, settings: LaunchSettings, session: Mapping[str, Any], run: Path
    ) -> Layout:
        """Return the peers, the dashboard, and a fork server where the system supports one."""
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
        """Start a process in a session of its own, so that Ctrl-C reaches the launcher alone."""
        program.folder.mkdir(parents=True, exist_ok=True)
        lifeline = () if program.watches_stdin else ("swarm.launch.lifeline",)
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", *lifeline, program.module, *program.arguments],
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
            env={
                "CUDA_VISIBLE_DEVICES": "-1",  # several peers do not fit a GPU; a user may say so
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                THREADS_VARIABLE: str(self._threads),
            },
        )
        running = _LocalProcess(process)
        nursery.start_soon(running.follow_output, program, on_line, on_output)
        return running

    async def collect(self, programs: Sequence[Program]) -> None:
        """Do nothing: the peers write to these paths themselves."""

    async def close(self) -> None:
        """Remove the socket of a fork server that was killed while it loaded."""
        if self._socket is not None:
            shutil.rmtree(self._socket.parent, ignore_errors=True)

    def usage(self, settings: LaunchSettings, run: Path, dataset: str) -> list[str]:
        """See `run_summary.usage`."""
        return usage(run, dataset, settings.data_dir)


class _LocalProcess:
    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._ended = trio.Event()

    async def wait(self) -> int:
        await self._ended.wait()
        return self._process.returncode or 0

    async def wait_restarted(self) -> None:
        await trio.sleep_forever()  # a process cannot start again

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._kill_group()

    async def follow_output(self, program: Program, on_line: OnLine, on_output: OnLine) -> None:
        """Read its output until it ends."""
        kill_children = self._kill_group  # they would hold the pipes open
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
