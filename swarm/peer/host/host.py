"""Host: one process on the network, and everything that its machines share.

A host owns the state folder and its lock, the identity, network, blob store and outbox.
Workloads (federated sessions, studies) run their machines on it, any number at once. The host
decodes each message and offers it to every workload; a workload picks its machines by session or
study. The outbox keeps the union of what all machines want kept.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog
import trio

from swarm.core.effects import BlobArrived, PeerConnected, PeerUnreachable
from swarm.core.errors import RemoteProtocolError, StorageError
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.core.workload import Workload
from swarm.network import events as network_events
from swarm.network.addresses import reachable_ip
from swarm.network.identity import Identity, load_or_create_identity, verify
from swarm.network.lock import hold_state_folder
from swarm.network.network import Network, NetworkConfig
from swarm.network.store import FREE_BYTES_MIN, FileBlobStore
from swarm.peer.host.outbox import Outbox
from swarm.peer.host.wire import decode

GOODBYE_WITHIN_S = 0.5
REFUSALS_EVERY_S = 60.0

log = structlog.get_logger()


class Host:
    """What all machines of this process share; made by `open_host`.

    Invariant: once `failure` is set, machines only say goodbye.
    """

    def __init__(self, config: NetworkConfig, identity: Identity, nursery: trio.Nursery) -> None:
        self.identity = identity
        self.store = FileBlobStore(config.state_dir / "blobs")
        self.network = Network(config, identity, self.store)
        self.outbox = Outbox(self.network, self.store, nursery)
        self.address = ""
        """`ip:port` that others give as their bootstrap; known once the host listens."""
        self.met = trio.Event()
        """Set once another peer was connected."""
        self.failed = trio.Event()
        """Set once `failure` is."""
        self.failure: StorageError | None = None
        """Why this peer must leave: the disk did not do what was asked."""
        self._config = config
        self._workloads: list[Workload] = []
        self._connected: set[PeerId] = set()
        self._refusals: Mapping[str, int] = {}

    @property
    def me(self) -> PeerId:
        """This peer's id."""
        return self.identity.peer_id

    @property
    def bootstraps(self) -> str:
        """The bootstrap addresses, in words; empty if there are none."""
        return ", ".join(str(address) for address in self._config.bootstraps)

    def add(self, workload: Workload) -> None:
        """Give a workload all events from now on, and the connections that are open."""
        self._workloads.append(workload)
        for peer in tuple(self._connected):
            workload.handle(PeerConnected(peer))

    def fail(self, error: StorageError) -> None:
        """Let every machine do nothing more than say goodbye; the first reason counts."""
        if self.failure is None:
            self.failure = error
            log.error("disk failed", reason=str(error))
            self.failed.set()

    def check_disk(self, error: Exception) -> None:
        """Fail if a blob could not be had because the disk is full."""
        if self.store.is_full:
            rule = f"{FREE_BYTES_MIN // 1024**2} MiB must stay free"
            self.fail(StorageError(f"{error}: the disk is full, {rule}"))

    async def stay(self, leaving: trio.Event, use: Callable[[], Awaitable[None]]) -> None:
        """Return when `use` is over, the user leaves, or the disk has failed."""

        async def cancel_after(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel_after, leaving)
            nursery.start_soon(cancel_after, self.failed)
            await use()
            nursery.cancel_scope.cancel()

    async def say_goodbye(self) -> None:
        """Have every workload leave, and give its last messages time to be sent."""
        for workload in self._workloads:
            workload.leave("disk" if self.failure is not None else "")
        await trio.sleep(GOODBYE_WITHIN_S / 2)  # pubsub does not say when it has sent

    def raise_failure(self) -> None:
        """Raise what ended this peer, if anything did.

        Raises:
            StorageError: The disk failed.
        """
        if self.failure is not None:
            raise StorageError(
                f"{self.failure}; this peer left, its state is in {self._config.state_dir}: "
                "make room there and start it again, it resumes"
            )

    async def run(self) -> None:
        """Publish, and log what was refused, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.outbox.run)
            while True:
                await trio.sleep(REFUSALS_EVERY_S)
                self.log_refusals()

    def log_refusals(self) -> None:
        """Log one line of counters by reason: a line for each message would be one more flood."""
        refused = self.network.snapshot().rejected
        if refused != self._refusals:
            self._refusals = refused
            log.info("refused", **refused)

    def listens(self) -> None:
        """Note the address that others join at."""
        address = self.network.listen_addresses[0]
        ip, port = reachable_ip(self._config.listen_ip), address.split("/")[4]
        self.address = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        log.info("listening", peer_id=self.me, address=address)

    async def take(self, event: network_events.NetworkEvent) -> None:
        """Take an event of the network."""
        match event:
            case network_events.PubsubMessage(_, sender, data):
                self._take_message(sender, data)
            case network_events.DirectMessage(sender, data):
                self._take_message(sender, data)
            case network_events.PeerConnected(peer):
                self._connected.add(peer)
                self.met.set()
                log.info("connected", peer=peer, num_connected=len(self._connected))
                self.hand_out(PeerConnected(peer))
            case network_events.PeerDisconnected(peer):
                self._connected.discard(peer)
                log.info("disconnected", peer=peer, num_connected=len(self._connected))
            case network_events.PeerUnreachable(peer):
                self.hand_out(PeerUnreachable(peer))
        await trio.lowlevel.checkpoint()

    def _take_message(self, sender: PeerId, data: bytes) -> None:
        try:
            received = decode(data, sender, verify)
        except RemoteProtocolError as error:
            self.network.refuse(error)
            log.debug("rejected", peer=sender, reason=str(error))
            return
        if received.attached is not None:
            try:
                self.hand_out(BlobArrived(self.outbox.put_attached(received.attached)))
            except StorageError as error:
                self.fail(error)
                return
        self.hand_out(received.message)

    def hand_out(self, event: Event) -> None:
        """Hand an event to every workload."""
        for workload in tuple(self._workloads):
            workload.handle(event)


@asynccontextmanager
async def open_host(config: NetworkConfig) -> AsyncIterator[Host]:
    """Listen with the identity of a state folder; stop at the end of the block.

    Raises:
        ConfigurationError: The folder or the port is in use.
    """
    with hold_state_folder(config.state_dir):
        identity = load_or_create_identity(config.state_dir)
        async with trio.open_nursery() as nursery:
            host = Host(config, identity, nursery)
            await nursery.start(host.network.run, host.take)
            host.listens()
            nursery.start_soon(host.run)
            yield host
            nursery.cancel_scope.cancel()
