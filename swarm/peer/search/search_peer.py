"""SearchPeer: a host that only takes part in studies."""

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from swarm.peer.host.host import Host, open_host
from swarm.peer.search.search_settings import SearchSettings
from swarm.peer.search.studies import Studies, open_studies


class SearchPeer:
    """A peer for studies; `run` is its whole life."""

    def __init__(self, settings: SearchSettings) -> None:
        self.settings = settings
        self.host: Host | None = None
        """The host that it runs on, once it listens."""
        self._leaving = trio.Event()

    @property
    def address(self) -> str:
        """`ip:port` at which others join; empty until the peer listens."""
        return self.host.address if self.host is not None else ""

    def leave(self) -> None:
        """Ask the peer to end; it says goodbye, and its studies can be resumed."""
        self._leaving.set()

    async def run(self, action: Callable[[Host, Studies], Awaitable[None]]) -> None:
        """Take part until `action` is done or the user leaves.

        Args:
            action: What to do with the studies; called once the peer listens.

        Raises:
            SwarmError: The peer cannot continue; the message says why.
        """
        async with (
            open_host(self.settings) as host,
            open_studies(host, self.settings) as studies,
        ):
            self.host = host
            await host.stay(self._leaving, partial(action, host, studies))
            await host.say_goodbye()
            host.raise_failure()
