"""Peer: one process that trains, and may do other work beside."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import structlog
import trio
from trio_typing import TaskStatus

from swarm.core.errors import LearningError
from swarm.peer.federation.own_data import check_data
from swarm.peer.federation.peer_settings import PeerSettings
from swarm.peer.federation.peer_status import PeerStatus
from swarm.peer.federation.session_driver import SessionDriver
from swarm.peer.federation.sessions import Sessions, open_sessions
from swarm.peer.federation.trainers import Trainer
from swarm.peer.host.bootstrap_hints import warn_while_nobody_answers
from swarm.peer.host.commands import open_commands
from swarm.peer.host.host import Host, open_host

OpenWorkload = Callable[[Host], AbstractAsyncContextManager[object]]
"""Adds a workload to a host, until the block ends."""

log = structlog.get_logger()


class Peer:
    """A host that takes part in federated sessions; `run` is its whole life."""

    def __init__(
        self,
        settings: PeerSettings,
        say: Callable[[str], None] = print,
        others: Sequence[OpenWorkload] = (),
        trainer: Trainer | None = None,
    ) -> None:
        """Make a peer.

        Args:
            settings: What the user set.
            say: Prints how other peers join.
            others: Workloads beside the sessions.
            trainer: What trains; learner processes by default.
        """
        self.settings = settings
        self.host: Host | None = None
        """The host that it runs on, once it listens."""
        self._sessions: Sessions | None = None
        self._others = others
        self._trainer = trainer
        self._say = say
        self._leaving = trio.Event()
        self._no_status = PeerStatus(settings.name, site=settings.site)

    @property
    def address(self) -> str:
        """`ip:port` at which others join; empty until the peer listens."""
        return self.host.address if self.host is not None else ""

    @property
    def silent_bootstraps(self) -> str:
        """The bootstrap addresses, while no other peer has ever connected; else empty."""
        return self.host.bootstraps if self.host is not None and not self.host.met.is_set() else ""

    @property
    def driver(self) -> SessionDriver | None:
        """The driver of the newest session, if there is one."""
        run = self._sessions.newest if self._sessions is not None else None
        return run.driver if run is not None else None

    @property
    def status(self) -> PeerStatus:
        """What this peer is doing in the newest session."""
        run = self._sessions.newest if self._sessions is not None else None
        return run.status if run is not None else self._no_status

    def leave(self) -> None:
        """Ask the peer to end; it says goodbye, and its state can be resumed."""
        self._leaving.set()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take part until the user leaves, or, if so configured, until nothing is left to do.

        Raises:
            SwarmError: The peer cannot continue; the message says why.
        """
        await trio.to_thread.run_sync(check_data, self.settings)
        async with AsyncExitStack() as stack:
            host = self.host = await stack.enter_async_context(open_host(self.settings))
            hints = await stack.enter_async_context(trio.open_nursery())
            hints.start_soon(warn_while_nobody_answers, host)
            stack.callback(hints.cancel_scope.cancel)
            if not self.settings.bootstraps:
                self._say(f"Others join with: python -m swarm.peer <ip> <port> {host.address}")
            sessions = await stack.enter_async_context(
                open_sessions(
                    host, self.settings, self._trainer, is_only_workload=not self._others
                )
            )
            for open_workload in self._others:
                await stack.enter_async_context(open_workload(host))
            self._sessions = sessions
            await stack.enter_async_context(
                open_commands(host, self.settings.state_dir, self.settings.operators)
            )
            task_status.started()
            await host.stay(self._leaving, self._work)
            with trio.CancelScope(shield=True):
                await sessions.close()
                await host.say_goodbye()
            host.log_refusals()
            host.raise_failure()
            if sessions.failure is not None and not self._leaving.is_set():
                raise sessions.failure

    async def export(self, path: Path, *, best: bool = False) -> int:
        """Write the newest session's last or best model as a `.keras` file; return its round.

        Raises:
            LearningError: There is no model yet, or the learner failed.
        """
        run = self._sessions.newest if self._sessions is not None else None
        if run is None:
            raise LearningError("there is no model yet: no session has begun")
        return await run.model_files.write(path, best=best)

    async def _work(self) -> None:
        """Return when nothing is left to do, if the user wants the peer to end then."""
        sessions = self._sessions
        assert sessions is not None  # noqa: S101 (set before)
        await sessions.begin()
        while not (sessions.all_over and self._ends(sessions)):
            await sessions.changed.wait()
        for run in tuple(sessions.runs.values()):
            await run.wait_settled()

    def _ends(self, sessions: Sessions) -> bool:
        removed = any(run.driver.dismissed for run in sessions.runs.values())
        failed = sessions.failure is not None
        only_trains = not (self._others or self.settings.idle)
        return self.settings.exit_when_done or ((removed or failed) and only_trains)
