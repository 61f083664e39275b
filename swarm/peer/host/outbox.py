"""Outbox: shares a host's connections, topics and blobs among its machines."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
import trio

from swarm.core.blobs import BlobRef
from swarm.core.effects import FetchBlob, Publish, Subscribe, Unsubscribe
from swarm.core.errors import LocalProtocolError, NetworkError
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.network.network import Network
from swarm.network.store import FileBlobStore
from swarm.peer.host.wire import encode

OUTBOX_MAX = 1024
"""Most messages that wait to be published. Machines publish about ten a second."""
SENDS_AT_ONCE_MAX = 16
SENDS_WAITING_MAX = 1024
"""Most direct messages that wait for slow peers; machines repeat what gets lost."""
CONNECTIONS_MAX = 256

log = structlog.get_logger()


class Outbox:
    """Sends, publishes and fetches for many machines; each machine has a key.

    Messages may get lost; machines expect that. One that is too large, or has no wire form, is
    logged and dropped: a host with many machines does not end because of it.

    Invariants:
        A topic, a connection or a blob is kept as long as any machine wants it.
        A blob that arrived for a machine is kept until the machine next says what it wants.
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
        """Blobs that arrived for a machine since it last said what it wants."""
        self._num_keeping_all = 0

    async def run(self) -> None:
        """Publish queued messages, in order."""
        async for effect in self._to_publish:
            match effect:
                case Subscribe(topic):
                    await self._network.subscribe(topic)
                case Unsubscribe(topic):
                    await self._network.unsubscribe(topic)
                case Publish(topic, message, attach):
                    with _dropped_if_unfit(message):
                        await self._network.publish(topic, encode(message, self._attached(attach)))

    def publish(self, effect: Publish) -> None:
        """Publish a message after those that were queued before."""
        self._queue(effect)

    def subscribe(self, key: str, topic: str) -> None:
        """Hear a topic as long as this machine wants it."""
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
            with _dropped_if_unfit(message):
                data = encode(message)
                self._num_sending += 1
                self._nursery.start_soon(self._send, peer, message, data)

    async def fetch(self, key: str, effect: FetchBlob) -> bool:
        """Bring a blob into the store; return whether it is still there afterwards.

        Raises:
            BlobNotFoundError: No holder sent it.
            StorageError: The disk refused the write.
        """
        await self._network.fetch(effect.blob, effect.holders, effect.wait_s)
        self._came.setdefault(key, set()).add(effect.blob)
        return self._store.has(effect.blob)  # it may be deleted before this task wakes up

    def admit(self, key: str, path: Path, blob: BlobRef) -> None:
        """Move a file that a child process wrote for a machine into the store.

        Raises:
            StorageError: The disk refused the write.
        """
        self._store.admit(path, blob)
        self._came.setdefault(key, set()).add(blob)

    def put_attached(self, key: str, data: bytes) -> BlobRef | None:
        """Store bytes that came with a message for a machine; None if no such machine keeps blobs.

        Raises:
            StorageError: The disk refused the write.
        """
        if key not in self._kept_blobs:
            return None
        blob = self._store.put(data)
        self._came.setdefault(key, set()).add(blob)
        return blob

    def keep_connected(self, key: str, peers: Iterable[PeerId]) -> None:
        """Say which connections a machine wants; the network keeps all that any machine wants."""
        self._kept_peers[key] = tuple(peers)
        every = dict.fromkeys(peer for kept in self._kept_peers.values() for peer in kept)
        self._network.keep_connected(tuple(every)[:CONNECTIONS_MAX])

    def keep_blobs(self, key: str, blobs: frozenset[BlobRef]) -> None:
        """Say which blobs a machine wants; delete those that no machine wants."""
        self._kept_blobs[key] = blobs
        self._came.pop(key, None)
        if not self._num_keeping_all:
            wanted = (*self._kept_blobs.values(), *self._came.values())
            self._store.keep_only(frozenset().union(*wanted))

    @contextmanager
    def keep_all(self) -> Iterator[None]:
        """Delete no blob within the block: a new machine has not said what it wants yet."""
        self._num_keeping_all += 1
        try:
            yield
        finally:
            self._num_keeping_all -= 1

    def forget(self, key: str) -> None:
        """Release everything of a machine that has ended."""
        for topic in [topic for topic, wanted_by in self._topics.items() if key in wanted_by]:
            self.unsubscribe(key, topic)
        self.keep_connected(key, ())
        del self._kept_peers[key]
        self._kept_blobs.pop(key, None)
        self._came.pop(key, None)

    def _queue(self, effect: Publish | Subscribe | Unsubscribe) -> None:
        try:
            self._outbox.send_nowait(effect)
        except trio.WouldBlock:
            log.warning("dropped", detail="outbox full: a message was not published")

    def _attached(self, blob: BlobRef | None) -> bytes | None:
        """The bytes that travel with a message; None if the blob is gone by now."""
        if blob is None:
            return None
        try:
            return self._store.read(blob)
        except NetworkError:
            return None

    async def _send(self, peer: PeerId, message: Event, data: bytes) -> None:
        try:
            async with self._sends:
                with _dropped_if_unfit(message):
                    await self._network.send(peer, data)
        except NetworkError as error:
            log.debug("not sent", peer=peer, reason=str(error))
        finally:
            self._num_sending -= 1


@contextmanager
def _dropped_if_unfit(message: Event) -> Iterator[None]:
    """Log a message that is too large or has no wire form; it is not sent."""
    try:
        yield
    except LocalProtocolError as error:
        log.error("dropped", kind=type(message).__name__, reason=str(error))
