"""Network: the one object through which a peer reaches the other peers."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import trio
from libp2p.abc import INetConn, INetStream, INetwork, INotifee
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.kad_dht.common import PROTOCOL_ID as KAD_PROTOCOL
from libp2p.peer.id import ID
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr
from trio_typing import TaskStatus

from swarm.core.blobs import BlobRef
from swarm.core.errors import (
    BlobNotFoundError,
    ConfigurationError,
    LocalProtocolError,
    PeerSilentError,
    PeerUnreachableError,
    RemoteProtocolError,
)
from swarm.core.ids import PeerId
from swarm.network.addressbook import AddressBook
from swarm.network.addresses import BootstrapAddress
from swarm.network.blob_transfer import BLOB_PROTOCOL, BlobExchange
from swarm.network.dialer import REDIAL_TIMEOUT_S, Dialer
from swarm.network.direct_messages import MESSAGE_PROTOCOL, DirectMessages
from swarm.network.discovery import PEERS_PROTOCOL, Discovery
from swarm.network.events import (
    NetworkEvent,
    PeerConnected,
    PeerDisconnected,
    PeerUnreachable,
    PubsubMessage,
)
from swarm.network.gossip import PUBSUB_MESSAGE_SIZE_MAX
from swarm.network.guards import OUTBOUND_WORTH, Handler, guarded, limited
from swarm.network.identity import Identity
from swarm.network.inbox import Inbox
from swarm.network.libp2p_host import build_dht, build_host, build_pubsub, build_swarm
from swarm.network.limits import (
    AT_ONCE_MAX,
    BLOB_REQUESTS,
    DIRECT_MESSAGES,
    EXCHANGES,
    KADEMLIA_STREAMS,
    Rate,
)
from swarm.network.lock import require_free_port
from swarm.network.other_versions import OtherVersions
from swarm.network.statistics import NetworkSnapshot, Statistics
from swarm.network.store import FileBlobStore
from swarm.network.wire import OtherVersionError

log = logging.getLogger(__name__)

PEERS_FILE = "peers.json"
_SHUTDOWN_S = 1.5


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The settings of a network."""

    listen_ip: str
    port: int
    """0 lets the operating system choose."""
    state_dir: Path
    """The folder of the address book."""
    bootstraps: tuple[BootstrapAddress, ...] = ()
    connections_target: int = 16
    """Number of connections up to which peers are dialled; kept peers and callers come on top."""


class Network:
    """Connections, topics, direct messages and blobs of one peer.

    Create it, run it in a nursery (`await nursery.start(network.run, deliver)`), then use it.

    Raises:
        ConfigurationError: Another process listens at the configured address.
    """

    def __init__(self, config: NetworkConfig, identity: Identity, store: FileBlobStore) -> None:
        require_free_port(config.listen_ip, config.port)
        self.peer_id = identity.peer_id
        self.listen_addresses: tuple[str, ...] = ()
        """Full multiaddrs that others can dial; known once the network runs."""
        self._config = config
        self._statistics = Statistics()
        self._versions = OtherVersions(self._statistics)
        self._inbox = Inbox(self._statistics)
        self._book = AddressBook(config.state_dir / PEERS_FILE)
        self._swarm = build_swarm(identity, self._statistics)
        self._host: BasicHost = build_host(self._swarm)
        self._pubsub, self._gossip = build_pubsub(
            self._host, self._statistics, self._versions, self._take_published
        )
        self._dialer = Dialer(self._swarm, self._book)
        self._discovery = Discovery(
            self._host, self._dialer, self._book, config.connections_target, self
        )
        self._gossip.neighbours_of = self._discovery.neighbours_of
        self._blobs = BlobExchange(self._host, self._dialer, store, self._statistics)
        self._messages = DirectMessages(self._host, self._dialer, self._inbox, self._statistics)
        self._nursery: trio.Nursery | None = None
        self._has_ended = False
        self._swarm.register_notifee(_Connections(self))
        self._swarm.worth = self._worth

    async def run(
        self,
        deliver: Callable[[NetworkEvent], Awaitable[None]],
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listen, find other peers and stay connected to them, until cancelled.

        Args:
            deliver: Called with each event, one at a time, in order.
            task_status: Started once the network listens and can be used.

        Raises:
            ConfigurationError: We cannot listen at the configured address.
        """
        kind = "ip6" if ":" in self._config.listen_ip else "ip4"
        listen = Multiaddr(f"/{kind}/{self._config.listen_ip}/tcp/{self._config.port}")
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            await nursery.start(self._run_libp2p, listen, stop)
            self.listen_addresses = tuple(str(address) for address in self._host.get_addrs())
            self._nursery = nursery
            try:
                nursery.start_soon(self._inbox.deliver_forever, deliver)
                for address in self._config.bootstraps:
                    nursery.start_soon(self._discovery.keep_bootstrap, address)
                nursery.start_soon(self._discovery.keep_kept)
                nursery.start_soon(self._discovery.fill_connections)
                nursery.start_soon(self._run_dht)
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery, self._has_ended = None, True
                self._book.save()
                stop.set()

    async def subscribe(self, topic: str) -> None:
        """Receive what is published on `topic`."""
        await self._pubsub.subscribe(topic)

    async def unsubscribe(self, topic: str) -> None:
        """Stop receiving what is published on `topic`."""
        await self._pubsub.unsubscribe(topic)

    async def publish(self, topic: str, data: bytes) -> None:
        """Send `data` to the subscribers of `topic`; this peer need not be one of them.

        Raises:
            LocalProtocolError: The message is too large.
        """
        if len(data) > PUBSUB_MESSAGE_SIZE_MAX:
            raise LocalProtocolError(
                f"a published message must have at most {PUBSUB_MESSAGE_SIZE_MAX} bytes, "
                f"got {len(data)}"
            )
        await self._pubsub.publish(topic, data)
        self._statistics.count_sent(data)

    async def send(self, peer: PeerId, data: bytes) -> None:
        """Send `data` to one peer; there is no answer.

        Raises:
            LocalProtocolError: The message is too large.
            PeerUnreachableError: It could not be sent within 5 s.
        """
        await self._messages.send(peer, data)

    async def fetch(self, ref: BlobRef, holders: Sequence[PeerId], wait_s: float = 0) -> None:
        """Fetch a blob into the store, from the first of `holders` that delivers it.

        Args:
            ref: The blob.
            holders: The peers to ask, in this order.
            wait_s: Longest time that each of them may wait for the blob itself; at most 10 s.

        Raises:
            BlobNotFoundError: No holder delivered it.
            StorageError: The disk is full or failed.
        """
        if self._has_ended:  # the caller is about to be cancelled, too
            raise BlobNotFoundError(f"blob {ref.digest}: this peer is leaving")
        if self._nursery is None:
            raise LocalProtocolError("fetch needs a running network")
        others = [peer for peer in holders if peer != self.peer_id]
        await self._blobs.fetch(ref, others, wait_s, self._nursery.start_soon)

    def keep_connected(self, peers: Collection[PeerId]) -> None:
        """Keep connections to these peers and redial the lost ones; replaces the earlier set."""
        self._discovery.keep_connected(peers)

    def refuse(self, error: RemoteProtocolError) -> None:
        """Count a message that the codec refused; name its sender if it runs another version."""
        if isinstance(error, OtherVersionError):
            self._versions.refuse(error.sender, error.version)
        else:
            self._statistics.refuse(getattr(error, "counter", "wire"))

    def snapshot(self) -> NetworkSnapshot:
        """Return the connected peers, and the totals so far."""
        connected = tuple(PeerId(p.to_base58()) for p in self._host.get_connected_peers())
        return self._statistics.snapshot(connected, len(self._book))

    # Reports from inside

    def peer_connected(self, peer: PeerId) -> None:
        """Note that the first connection to `peer` opened."""
        self._discovery.peer_connected(peer)
        self._inbox.put(PeerConnected(peer))

    def peer_disconnected(self, peer: PeerId) -> None:
        """Note that the last connection to `peer` closed, and check at once whether it is gone."""
        self._discovery.peer_disconnected(peer)
        self._messages.forget(peer)
        self._inbox.put(PeerDisconnected(peer))
        if self._nursery is not None:
            self._nursery.start_soon(self._redial_at_once, peer)

    def peer_unreachable(self, peer: PeerId) -> None:
        """Note that a peer that should be connected could not be dialled."""
        self._inbox.put(PeerUnreachable(peer))

    def _worth(self, peer: ID) -> int:
        """Return 3 for a kept peer, 2 for one that we dialled, 1 for one with a topic of ours."""
        if self._discovery.is_kept(PeerId(peer.to_base58())):
            return 3
        if self._swarm.has_dialled(peer):
            return OUTBOUND_WORTH
        topics = self._pubsub.topic_ids
        return int(any(peer in self._pubsub.peer_topics.get(topic, ()) for topic in topics))

    async def _run_libp2p(
        self,
        listen: Multiaddr,
        stop: trio.Event,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        # Shielded, because a cancelled libp2p leaves sockets open. It is asked to stop instead,
        # and cancelled only if stopping takes too long.
        with trio.CancelScope(shield=True) as scope:
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(self._host.run(listen_addrs=[listen]))
                if not self._host.get_transport_addrs():
                    raise ConfigurationError(f"cannot listen on {listen}")
                await stack.enter_async_context(background_trio_service(self._pubsub))
                await stack.enter_async_context(background_trio_service(self._gossip))
                await self._pubsub.wait_until_ready()
                self._handle(BLOB_PROTOCOL, "blob", self._blobs.serve, BLOB_REQUESTS)
                self._handle(MESSAGE_PROTOCOL, "message", self._messages.take, DIRECT_MESSAGES)
                self._handle(
                    PEERS_PROTOCOL, "exchange", self._discovery.answer_exchange, EXCHANGES
                )
                task_status.started()
                await stop.wait()
                scope.deadline = trio.current_time() + _SHUTDOWN_S
                await self._hang_up()

    async def _hang_up(self) -> None:
        """Refuse new connections, then close all, so that the other peers notice at once."""
        async with trio.open_nursery() as nursery:
            for listener in list(self._swarm.listeners.values()):
                nursery.start_soon(_close_quietly, listener.close)
            for connection in self._swarm.get_connections():
                nursery.start_soon(_close_quietly, connection.close)

    async def _redial_at_once(self, peer: PeerId) -> None:
        if self._swarm.is_full and not self._discovery.is_kept(peer):
            return  # it may be the peer that had to make room
        try:
            await self._dialer.connect(peer, REDIAL_TIMEOUT_S)
        except PeerSilentError as error:  # the machine gives it time: it may be busy
            log.debug("%s", error)
        except PeerUnreachableError as error:
            log.debug("%s", error)
            if not self._dialer.is_connected(peer):
                self.peer_unreachable(peer)

    async def _run_dht(self) -> None:
        while True:
            dht = build_dht(self._host, self._statistics)
            self._handle(KAD_PROTOCOL, "kademlia", dht.handle_stream, KADEMLIA_STREAMS)
            try:
                async with background_trio_service(dht):
                    await self._discovery.walk_dht(dht)
            except Exception as error:  # a fault in one of its many loops: start it again
                log.warning("kademlia restarts: %r", error)
                await trio.sleep(1)

    def _take_published(self, topic: str, author: ID, data: bytes) -> None:
        self._statistics.count_received(data)
        self._inbox.put(PubsubMessage(topic, PeerId(author.to_base58()), data))

    def _handle(self, protocol: TProtocol, name: str, handler: Handler, rate: Rate) -> None:
        handler = limited(handler, name, self._statistics, rate, AT_ONCE_MAX[name])
        self._host.set_stream_handler(protocol, guarded(handler, name, self._statistics))


class _Connections(INotifee):
    """Informs the network when the first connection to a peer opens and the last one closes."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._open: dict[PeerId, set[int]] = {}

    async def connected(self, network: INetwork, conn: INetConn) -> None:
        peer = PeerId(conn.muxed_conn.peer_id.to_base58())
        first = peer not in self._open
        self._open.setdefault(peer, set()).add(id(conn))
        if first:
            self._network.peer_connected(peer)

    async def disconnected(self, network: INetwork, conn: INetConn) -> None:
        peer = PeerId(conn.muxed_conn.peer_id.to_base58())
        connections = self._open.get(peer, set())
        connections.discard(id(conn))
        if peer in self._open and not connections:
            del self._open[peer]
            self._network.peer_disconnected(peer)

    async def opened_stream(self, network: INetwork, stream: INetStream) -> None:
        pass

    async def closed_stream(self, network: INetwork, stream: INetStream) -> None:
        pass

    async def listen(self, network: INetwork, multiaddr: Multiaddr) -> None:
        pass

    async def listen_close(self, network: INetwork, multiaddr: Multiaddr) -> None:
        pass


async def _close_quietly(close: Callable[[], Awaitable[None]]) -> None:
    try:
        await close()
    except Exception as error:  # the remote may have closed it before
        log.debug("closing: %r", error)
