"""SearchPeer: a host that only takes part in studies."""

from collections.abc import Awaitable, Callable
from functools import partial

import trio
from trio_typing import TaskStatus

from swarm.network.network import NetworkConfig
from swarm.peer.host.host import Host, open_host
from swarm.peer.search.search_settings import SearchSettings
from swarm.peer.search.studies import Studies, open_studies


class SearchPeer:
    """One searching peer; `run` is its whole life."""

    def __init__(self, settings: SearchSettings) -> None:
        self.settings = settings
        self.host: Host | None = None
        """What it runs on, once it listens."""
        self._leaving = trio.Event()

    @property
    def address(self) -> str:
        """`ip:port` others can join at; empty until the peer listens."""
        return self.host.address if self.host is not None else ""

    def leave(self) -> None:
        """Ask the peer to end; it says goodbye, and its studies can be resumed."""
        self._leaving.set()

    async def run(
        self,
        use: Callable[[Host, Studies], Awaitable[None]],
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Take part until `use` is over or the user leaves.

        Args:
            use: What to do with the studies; called once the peer listens.
            task_status: Set once the peer listens.

        Raises:
            SwarmError: The peer cannot go on; the message says why.
        """
        settings = self.settings
        config = NetworkConfig(settings.ip, settings.port, settings.state_dir, settings.bootstraps)
        async with (
            open_host(config) as host,
            open_studies(host, self.settings) as studies,
        ):
            self.host = host
            task_status.started()
            await host.stay(self._leaving, partial(use, host, studies))
            await host.say_goodbye()
            host.raise_failure()
