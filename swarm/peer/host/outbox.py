"""Outbox: how all studies of a peer share its network and its store."""

from collections.abc import Iterable

import structlog
import trio

from swarm.core.blobs import BlobRef
from swarm.core.effects import FetchBlob, Publish, Subscribe, Unsubscribe
from swarm.core.errors import NetworkError
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.network.network import Network
from swarm.network.store import FileBlobStore
from swarm.peer.host.wire import encode
from swarm.search.study import StudyId

OUTBOX_MAX = 1024
"""Messages waiting to be published; studies publish some ten a second."""
SENDS_AT_ONCE_MAX = 16
SENDS_WAITING_MAX = 1024
"""Messages to peers that do not answer pile up no further: all of them are repeated."""
CONNECTIONS_MAX = 64

log = structlog.get_logger()


class Outbox:
    """Sends, publishes and fetches; messages may be lost, which machines expect."""

    def __init__(self, network: Network, store: FileBlobStore, nursery: trio.Nursery) -> None:
        self._network = network
        self._store = store
        self._nursery = nursery
        self._sends = trio.CapacityLimiter(SENDS_AT_ONCE_MAX)
        self._num_sending = 0
        self._outbox, self._to_publish = trio.open_memory_channel[
            Publish | Subscribe | Unsubscribe
        ](OUTBOX_MAX)
        self._kept_peers: dict[StudyId, tuple[PeerId, ...]] = {}
        self._kept_blobs: dict[StudyId, frozenset[BlobRef]] = {}

    async def run(self) -> None:
        """Publish what is queued, in order."""
        async for effect in self._to_publish:
            match effect:
                case Subscribe(topic):
                    await self._network.subscribe(topic)
                case Unsubscribe(topic):
                    await self._network.unsubscribe(topic)
                case Publish(topic, message):
                    await self._network.publish(topic, encode(message))

    def queue(self, effect: Publish | Subscribe | Unsubscribe) -> None:
        """Publish, subscribe or unsubscribe after what was queued before."""
        try:
            self._outbox.send_nowait(effect)
        except trio.WouldBlock:
            log.warning("dropped", detail="the outbox is full, a message was not published")

    def send(self, peer: PeerId, message: Event) -> None:
        """Send a message to one peer."""
        if self._num_sending < SENDS_WAITING_MAX:
            self._num_sending += 1
            self._nursery.start_soon(self._send, peer, encode(message))

    async def fetch(self, effect: FetchBlob) -> None:
        """Bring a blob into the store.

        Raises:
            BlobNotFoundError: No holder gave it.
            StorageError: The disk refused it.
        """
        await self._network.fetch(effect.blob, effect.holders, effect.wait_s)

    def keep_connected(self, study: StudyId, peers: Iterable[PeerId]) -> None:
        """Hold connections to what any study wants."""
        self._kept_peers[study] = tuple(peers)
        every = dict.fromkeys(peer for kept in self._kept_peers.values() for peer in kept)
        self._network.keep_connected(tuple(every)[:CONNECTIONS_MAX])

    def keep_blobs(self, study: StudyId, blobs: frozenset[BlobRef]) -> None:
        """Delete what no study wants."""
        self._kept_blobs[study] = blobs
        self._store.keep_only(frozenset().union(*self._kept_blobs.values()))

    def forget(self, study: StudyId) -> None:
        """A study wants nothing any more."""
        self._kept_peers.pop(study, None)
        self._kept_blobs.pop(study, None)

    async def _send(self, peer: PeerId, data: bytes) -> None:
        try:
            async with self._sends:
                await self._network.send(peer, data)
        except NetworkError as error:
            log.debug("not sent", peer=peer, reason=str(error))
        finally:
            self._num_sending -= 1
