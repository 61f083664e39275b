"""Serving: makes a host a member of one ensemble: joins one that is offered, or founds one.

    async with open_host(settings) as host, open_serving(host, settings, rows) as serving:
        driver = await serving.begin(say)

Which ensemble, in this order: the one that this state folder was a member of; one that the swarm
offers, by name or the only one; a new one, with the spec that this member's rows propose.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
import trio
from trio_typing import TaskStatus

from swarm.core.errors import ConfigurationError, SwarmError
from swarm.ensemble.member import Member
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.ensemble.ensemble_settings import EnsembleSettings
from swarm.peer.ensemble.ensembles import Ensembles, open_ensembles
from swarm.peer.ensemble.member_driver import MemberDriver
from swarm.peer.ensemble.member_folder import (
    MemberFolder,
    find_member_folder,
    open_member_folder,
)
from swarm.peer.ensemble.member_processes import open_member_processes
from swarm.peer.ensemble.member_rows import MemberRows
from swarm.peer.ensemble.new_rows import NewRows
from swarm.peer.host.host import Host
from swarm.peer.processes.member_frames import Open

OFFERED_WITHIN_S = 30.0
"""Seconds after the first connection in which an ensemble must be offered; else one is founded."""

log = structlog.get_logger()
Say = Callable[[str], None]
"""Prints one line for the user."""


@asynccontextmanager
async def open_serving(
    host: Host, settings: EnsembleSettings, rows: MemberRows
) -> AsyncIterator["Serving"]:
    """Prepare a host to be a member; the member ends with the block.

    Args:
        host: Where the member runs.
        settings: What the user set.
        rows: The member's rows, checked.
    """
    async with open_ensembles(host) as ensembles, trio.open_nursery() as nursery:
        yield Serving(host, ensembles, settings, rows, nursery)
        nursery.cancel_scope.cancel()


class Serving:
    """One member of one ensemble, from its choice to its end."""

    def __init__(
        self,
        host: Host,
        ensembles: Ensembles,
        settings: EnsembleSettings,
        rows: MemberRows,
        nursery: trio.Nursery,
    ) -> None:
        self.ensembles = ensembles
        self.driver: MemberDriver | None = None
        """Once the member has begun."""
        self._host = host
        self._settings = settings
        self._rows = rows
        self._nursery = nursery

    async def begin(self, say: Say) -> MemberDriver:
        """Choose the ensemble and begin to serve in it.

        Raises:
            ConfigurationError: The rows do not fit the ensemble, or several ensembles fit.
            SwarmError: The folder or a process fails.
        """
        folder = await self._choose(say)
        self.driver = await self._nursery.start(self._run, folder)
        return self.driver

    async def _run(
        self,
        folder: MemberFolder,
        task_status: TaskStatus[MemberDriver] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        settings, spec = self._settings, folder.spec
        num_rows = await trio.to_thread.run_sync(self._rows.write, folder)
        opening = Open(
            spec, str(folder.path), self._host.me, settings.learner, settings.allow_code
        )
        async with (
            open_member_processes(opening, settings.foreign_memory_mib) as processes,
            trio.open_nursery() as nursery,
        ):
            machine = Member(self._host.me, spec, settings.member)
            driver = MemberDriver(machine, self._host, nursery, folder, processes, settings)
            self.ensembles.add(driver)
            await driver.start(num_rows)
            task_status.started(driver)
            new_rows = NewRows(
                driver, processes.rows, num_rows, settings.watch, settings.drift_threshold
            )
            await new_rows.run()

    # -- which ensemble

    async def _choose(self, say: Say) -> MemberFolder:
        state_dir, name = self._settings.state_dir, self._settings.ensemble
        folder = find_member_folder(state_dir, name)
        if folder is not None:
            say(f"Resuming {_in_words(folder.spec)} from {folder.path}")
            self._check(folder.spec, say)
            return folder
        spec = await self._find(say) if self._host.bootstraps else None
        if spec is not None:
            say(f"Joining {_in_words(spec)}")
            self._check(spec, say)
        else:
            spec = self._rows.propose(self._host.me)
            say(f"Founding {_in_words(spec)}")
        return open_member_folder(state_dir, spec)

    def _check(self, spec: EnsembleSpec, say: Say) -> None:
        for difference in self._rows.check(spec):
            say(f"Note: {difference}.")

    async def _find(self, say: Say) -> EnsembleSpec | None:
        """The ensemble that the swarm offers; None if there is none."""
        name = self._settings.ensemble
        await self._host.met.wait()
        say(f"Waiting up to {OFFERED_WITHIN_S:g} s for an ensemble; else this peer founds one")
        try:
            return await self.ensembles.find(name, OFFERED_WITHIN_S)
        except ConfigurationError:
            raise
        except SwarmError as error:
            say(f"{str(error)[:1].upper()}{str(error)[1:]}.")
            return None


def _in_words(spec: EnsembleSpec) -> str:
    return f"ensemble {spec.name} ({spec.id[:8]})"
