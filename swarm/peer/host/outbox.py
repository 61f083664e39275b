"""Outbox: how all machines of a host share its connections, topics and blobs."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

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

OUTBOX_MAX = 1024
"""Messages waiting to be published; machines publish some ten a second, so a full one stalls."""
SENDS_AT_ONCE_MAX = 16
SENDS_WAITING_MAX = 1024
"""Direct messages waiting for peers that do not answer; machines repeat all of them."""
CONNECTIONS_MAX = 256

log = structlog.get_logger()


class Outbox:
    """Sends, publishes and fetches for many machines; each machine is named by a key.

    Messages may be lost, which machines expect.

    Invariants:
        A topic, a connection or a blob is kept as long as any machine wants it.
        A blob that came for a machine is kept until that machine says next what it wants.
        While `keep_all` is active no blob is deleted.
    """

    def __init__(self, network: Network, store: FileBlobStore, nursery: trio.Nursery) -> None:
        self._network = network
        self._store = store
        self._nursery = nursery
        self._sends = trio.CapacityLimiter(SENDS_AT_ONCE_MAX)
        self._num_sending = 0
        self._outbox, self._to_publish = trio.open_memory_channel[
            Publish | Subscribe | Unsubscribe
        ](OUTBOX_MAX)
        self._topics: dict[str, set[str]] = {}
        self._kept_peers: dict[str, tuple[PeerId, ...]] = {}
        self._kept_blobs: dict[str, frozenset[BlobRef]] = {}
        self._came: dict[str, set[BlobRef]] = {}
        """Blobs that came for a machine since it last said what it wants."""
        self._num_keeping_all = 0

    async def run(self) -> None:
        """Publish what is queued, in order."""
        async for effect in self._to_publish:
            match effect:
                case Subscribe(topic):
                    await self._network.subscribe(topic)
                case Unsubscribe(topic):
                    await self._network.unsubscribe(topic)
                case Publish(topic, message, attach):
                    await self._network.publish(topic, encode(message, self._attached(attach)))

    def publish(self, effect: Publish) -> None:
        """Publish after what was queued before."""
        self._queue(effect)

    def subscribe(self, key: str, topic: str) -> None:
        """Hear a topic as long as a machine wants to."""
        wanted_by = self._topics.setdefault(topic, set())
        if not wanted_by:
            self._queue(Subscribe(topic))
        wanted_by.add(key)

    def unsubscribe(self, key: str, topic: str) -> None:
        """Stop hearing a topic, unless another machine wants it."""
        wanted_by = self._topics.get(topic, set())
        wanted_by.discard(key)
        if not wanted_by and self._topics.pop(topic, None) is not None:
            self._queue(Unsubscribe(topic))

    def send(self, peer: PeerId, message: Event) -> None:
        """Send a message to one peer."""
        if self._num_sending < SENDS_WAITING_MAX:
            self._num_sending += 1
            self._nursery.start_soon(self._send, peer, encode(message))

    async def fetch(self, key: str, effect: FetchBlob) -> bool:
        """Bring a blob into the store; return whether it is still there afterwards.

        Raises:
            BlobNotFoundError: No holder gave it.
            StorageError: The disk refused it.
        """
        await self._network.fetch(effect.blob, effect.holders, effect.wait_s)
        self._came.setdefault(key, set()).add(effect.blob)
        return self._store.has(effect.blob)  # it may have gone before this task woke up

    def admit(self, key: str, path: Path, blob: BlobRef) -> None:
        """Move a file that a child process wrote for a machine into the store.

        Raises:
            StorageError: The disk refused.
        """
        self._store.admit(path, blob)
        self._came.setdefault(key, set()).add(blob)

    def put_attached(self, data: bytes) -> BlobRef:
        """Store bytes that came with a message; each machine may want them.

        Raises:
            StorageError: The disk refused.
        """
        blob = self._store.put(data)
        for key in self._kept_blobs:
            self._came.setdefault(key, set()).add(blob)
        return blob

    def keep_connected(self, key: str, peers: Iterable[PeerId]) -> None:
        """Hold the connections that any machine wants."""
        self._kept_peers[key] = tuple(peers)
        every = dict.fromkeys(peer for kept in self._kept_peers.values() for peer in kept)
        self._network.keep_connected(tuple(every)[:CONNECTIONS_MAX])

    def keep_blobs(self, key: str, blobs: frozenset[BlobRef]) -> None:
        """Delete what no machine wants."""
        self._kept_blobs[key] = blobs
        self._came.pop(key, None)
        if not self._num_keeping_all:
            wanted = (*self._kept_blobs.values(), *self._came.values())
            self._store.keep_only(frozenset().union(*wanted))

    @contextmanager
    def keep_all(self) -> Iterator[None]:
        """Delete no blob yet: a machine that is about to begin has not said what it wants."""
        self._num_keeping_all += 1
        try:
            yield
        finally:
            self._num_keeping_all -= 1

    def forget(self, key: str) -> None:
        """A machine has ended and wants nothing any more."""
        for topic in [topic for topic, wanted_by in self._topics.items() if key in wanted_by]:
            self.unsubscribe(key, topic)
        self._kept_peers.pop(key, None)
        self._kept_blobs.pop(key, None)
        self._came.pop(key, None)

    def _queue(self, effect: Publish | Subscribe | Unsubscribe) -> None:
        try:
            self._outbox.send_nowait(effect)
        except trio.WouldBlock:
            log.warning("dropped", detail="the outbox is full: a message was not published")

    def _attached(self, blob: BlobRef | None) -> bytes | None:
        """The bytes that travel with a message; a blob that is gone by now is only named."""
        if blob is None:
            return None
        try:
            return self._store.read(blob)
        except NetworkError:
            return None

    async def _send(self, peer: PeerId, data: bytes) -> None:
        try:
            async with self._sends:
                await self._network.send(peer, data)
        except NetworkError as error:
            log.debug("not sent", peer=peer, reason=str(error))
        finally:
            self._num_sending -= 1
