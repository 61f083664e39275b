"""PipedProcess: a child process and the peer's ends of its pipes.

A fork server starts the process if there is one; otherwise this process starts it. Both connect it
to the same pipes, so nothing is lost that was written while the server was loading or before it
died.
"""

import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import trio
from structlog.typing import FilteringBoundLogger

from swarm.peer.processes.fork_server import (
    MESSAGE_SIZE_MAX,
    Ended,
    Forked,
    Message,
    Refused,
    decode,
    encode,
    request_of_this_process,
)

COMMAND = (sys.executable, "-m", "swarm.peer.processes.learner_process")
STOP_GRACE_S = 2.0
"""Time that a process has to end after it closed stdout, and after SIGTERM before SIGKILL."""
Log = FilteringBoundLogger
FORKED_WITHIN_S = 90.0
"""Six peers that started at once on two busy cores were seen to load for 40 s."""


class PipedProcess:
    """A child process that runs once; `run` starts it, and ends it when cancelled."""

    def __init__(
        self,
        server: Path | None,
        log: Log | None,
        command: tuple[str, ...] = COMMAND,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Make the pipes.

        Args:
            server: Socket of a fork server, which can run only `COMMAND`.
            log: Where to log what happens.
            command: What to run without a server.
            environment: Variables of the process beside those of this one.
        """
        self._server = server
        self._command = command
        self._environment = dict(environment or {})
        self._log = log
        child_in, ours_out = os.pipe()
        ours_in, child_out = os.pipe()
        ours_err, child_err = os.pipe()
        self._child_ends = [child_in, child_out, child_err]
        self.stdin = trio.lowlevel.FdStream(ours_out)
        self.stdout = trio.lowlevel.FdStream(ours_in)
        """Ends when the process ends."""
        self.stderr = trio.lowlevel.FdStream(ours_err)
        self.pid: int | None = None
        """None until it runs."""
        self.running = trio.Event()
        """Set once `pid` is known, which can be after the first answer."""
        self.returncode: int | None = None
        """None until it has ended; stays None if the fork server died before it sent the code."""
        self._ended = trio.Event()

    async def run(self) -> None:
        """Start the process and wait until it has ended."""
        try:
            if self._server is None or not await self._run_forked(self._server):
                await self._run_own()
        finally:
            self._close_child_ends()
            self._ended.set()

    async def wait(self) -> None:
        """Wait until it has ended."""
        await self._ended.wait()

    async def aclose(self) -> None:
        """Close the peer's ends of the pipes, once everything of interest is read."""
        with trio.CancelScope(shield=True):
            for stream in (self.stdin, self.stdout, self.stderr):
                await stream.aclose()

    # -- started by this process

    async def _run_own(self) -> None:
        stdin, stdout, stderr = self._child_ends
        process = await trio.lowlevel.open_process(
            self._command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, **_module_path(), **self._environment},
        )
        self.pid = process.pid
        self.running.set()
        self._close_child_ends()
        try:
            await process.wait()
        finally:
            await self._stop_own(process)
            self.returncode = process.returncode

    async def _stop_own(self, process: trio.Process) -> None:
        """End the process: closed stdin asks it to, then SIGTERM, then SIGKILL."""
        with trio.CancelScope(shield=True):
            await self.stdin.aclose()
            if process.poll() is None:
                process.terminate()
            with trio.move_on_after(STOP_GRACE_S):
                await process.wait()
            if process.poll() is None:
                process.kill()
                await process.wait()

    # -- forked by the server

    async def _run_forked(self, server: Path) -> bool:
        """Run a forked process; return False if the server did not fork one."""
        with trio.socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            answer: Message
            try:
                with trio.fail_after(FORKED_WITHIN_S):
                    await connection.connect(str(server))
                    await _ask(connection, self._child_ends, self._environment)
                    answer, pidfd = await _receive(connection)
            except trio.TooSlowError:
                answer, pidfd = Refused(f"no answer within {FORKED_WITHIN_S:.0f} s"), None
            except (OSError, ValueError) as error:
                answer, pidfd = Refused(str(error)), None
            if not isinstance(answer, Forked) or pidfd is None:
                self._log_refusal(server, answer)
                return False
            self.pid = answer.pid
            self.running.set()
            self._close_child_ends()
            try:
                await self._await_forked(connection, pidfd)
            finally:
                os.close(pidfd)
        return True

    async def _await_forked(self, connection: trio.socket.SocketType, pidfd: int) -> None:
        """Wait until the process has ended; it may outlive the server."""
        try:
            await trio.lowlevel.wait_readable(pidfd)
        finally:
            with suppress(ProcessLookupError):
                # Not through the server, which may be gone. Unlike a pid, a pidfd never comes to
                # name another process.
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            with trio.CancelScope(shield=True), trio.move_on_after(STOP_GRACE_S):
                await trio.lowlevel.wait_readable(pidfd)
                with suppress(OSError, ValueError):  # the server died before it sent the code
                    ended, _ = await _receive(connection)
                    self.returncode = ended.code if isinstance(ended, Ended) else None

    def _log_refusal(self, server: Path, answer: Message) -> None:
        if self._log is not None:
            reason = answer.reason if isinstance(answer, Refused) else f"it said {answer}"
            self._log.warning("starts its own worker", fork_server=str(server), reason=reason)

    def _close_child_ends(self) -> None:
        while self._child_ends:
            os.close(self._child_ends.pop())


def _module_path() -> dict[str, str]:
    """Have the process find modules beside the user's script, as this process does."""
    folders = [sys.path[0] if sys.path else "", os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(folder for folder in folders if folder)
    return {"PYTHONPATH": path} if path else {}


async def _ask(
    connection: trio.socket.SocketType, pipes: list[int], environment: Mapping[str, str]
) -> None:
    rights = b"".join(pipe.to_bytes(4, sys.byteorder) for pipe in pipes)
    await connection.sendmsg(
        [encode(request_of_this_process(environment))],
        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)],
    )


async def _receive(connection: trio.socket.SocketType) -> tuple[Message, int | None]:
    """Receive a message and the descriptor that came with it, if any.

    Raises:
        OSError: The server is gone.
        ValueError: It sent something that is not a message.
    """
    data, ancillary, _, _ = await connection.recvmsg(MESSAGE_SIZE_MAX, socket.CMSG_SPACE(4))
    rights = b"".join(content for _, _, content in ancillary)
    descriptor = int.from_bytes(rights, sys.byteorder) if rights else None
    if not data:
        raise ConnectionResetError("the fork server has ended")
    return decode(data), descriptor
