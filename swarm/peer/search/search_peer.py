"""SearchPeer: one peer that searches, from its state folder to its last goodbye."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog
import trio
from trio_typing import TaskStatus

from swarm.core.effects import PeerConnected, PeerUnreachable
from swarm.core.errors import RemoteProtocolError
from swarm.core.ids import PeerId
from swarm.network import events as network_events
from swarm.network.addresses import reachable_ip
from swarm.network.identity import Identity, load_or_create_identity, verify
from swarm.network.lock import hold_state_folder
from swarm.network.network import Network, NetworkConfig
from swarm.network.store import FileBlobStore
from swarm.peer.host.outbox import Outbox
from swarm.peer.host.wire import decode
from swarm.peer.processes.trial_pool import open_trial_pool
from swarm.peer.search.search_settings import SearchSettings
from swarm.peer.search.studies import Studies
from swarm.peer.search.trial_execution import Execution
from swarm.search.messages import StudyQuery
from swarm.search.topics import SEARCH_TOPIC

GOODBYE_WITHIN_S = 0.5
ASK_EVERY_S = 5.0
"""So often a peer asks all it is connected with which studies there are."""

log = structlog.get_logger()


class SearchPeer:
    """Everything one searching peer is made of; `run` is its whole life."""

    def __init__(self, settings: SearchSettings) -> None:
        self.settings = settings
        self.address = ""
        """`ip:port` others can join at; known once the peer listens."""
        self.peer_id = PeerId("")
        self.met = trio.Event()
        """Set once another peer was connected."""
        self._leaving = trio.Event()

    @property
    def bootstraps(self) -> str:
        """Where it looks for others, in words."""
        return ", ".join(str(address) for address in self.settings.bootstraps)

    def leave(self) -> None:
        """Ask the peer to end; it says goodbye, and its studies can be resumed."""
        self._leaving.set()

    async def run(
        self,
        use: Callable[[Studies, FileBlobStore], Awaitable[None]],
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Take part until `use` is over or the user leaves.

        Args:
            use: What to do with the studies; called once the peer listens.
            task_status: Told once it does.

        Raises:
            SwarmError: The peer cannot go on; the message says why.
        """
        settings = self.settings
        with hold_state_folder(settings.state_dir):
            identity = load_or_create_identity(settings.state_dir)
            self.peer_id = identity.peer_id
            store = FileBlobStore(settings.state_dir / "blobs")
            async with self._execution(store) as execution, trio.open_nursery() as nursery:
                network = self._network(identity, store)
                outbox = Outbox(network, store, nursery)
                studies = Studies(identity.peer_id, settings, outbox, execution, nursery)
                await nursery.start(network.run, partial(self._deliver, network, studies))
                self._greet(network)
                await network.subscribe(SEARCH_TOPIC)
                nursery.start_soon(outbox.run)
                nursery.start_soon(self._ask_around, network, outbox)
                task_status.started()
                await self._stay(partial(use, studies, store))
                await self._say_goodbye(studies)
                nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def _execution(self, store: FileBlobStore) -> AsyncIterator[Execution | None]:
        if not self.settings.slots:
            yield None
            return
        async with open_trial_pool(self.settings.slots, log) as pool:
            yield Execution(pool, store, self.settings)

    def _network(self, identity: Identity, store: FileBlobStore) -> Network:
        settings = self.settings
        config = NetworkConfig(settings.ip, settings.port, settings.state_dir, settings.bootstraps)
        return Network(config, identity, store)

    def _greet(self, network: Network) -> None:
        address = network.listen_addresses[0]
        ip, port = reachable_ip(self.settings.ip), address.split("/")[4]
        self.address = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        log.info("listening", peer_id=network.peer_id, address=self.address)

    async def _stay(self, use: Callable[[], Awaitable[None]]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_when_leaving, nursery.cancel_scope)
            await use()
            nursery.cancel_scope.cancel()

    async def _cancel_when_leaving(self, scope: trio.CancelScope) -> None:
        await self._leaving.wait()
        scope.cancel()

    async def _say_goodbye(self, studies: Studies) -> None:
        studies.leave()
        await trio.sleep(GOODBYE_WITHIN_S)  # pubsub does not say when it has sent

    async def _ask_around(self, network: Network, outbox: Outbox) -> None:
        """Studies are offered every few seconds; who asks hears of those that are over, too."""
        query = StudyQuery(network.peer_id)
        while True:
            for peer in network.snapshot().connected:
                outbox.send(peer, query)
            await trio.sleep(ASK_EVERY_S)

    async def _deliver(
        self, network: Network, studies: Studies, event: network_events.NetworkEvent
    ) -> None:
        match event:
            case network_events.PubsubMessage(_, sender, data):
                self._take(network, studies, sender, data)
            case network_events.DirectMessage(sender, data):
                self._take(network, studies, sender, data)
            case network_events.PeerConnected(peer):
                self.met.set()
                studies.handle(PeerConnected(peer))
                studies.ask(peer)
            case network_events.PeerUnreachable(peer):
                studies.handle(PeerUnreachable(peer))

    def _take(self, network: Network, studies: Studies, sender: PeerId, data: bytes) -> None:
        try:
            message = decode(data, sender, verify).message
        except RemoteProtocolError as error:
            network.refuse(error)
            log.debug("rejected", peer=sender, reason=str(error))
            return
        studies.handle(message)
