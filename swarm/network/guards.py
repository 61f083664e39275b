"""Guards: libp2p's parts, hardened so that no remote input and no lost race ends the process.

Every class here overrides the least it can of py-libp2p 0.8.1 (pinned exactly) and says which
fault it guards against. `tests/network/test_guards.py` reproduces the faults a remote can cause.
"""

# ruff: noqa: D102  # the overridden methods are documented where they come from

import logging
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, cast

import trio
from libp2p.abc import IMuxedConn, INetStream, ISecureConn
from libp2p.io.abc import ReadWriteCloser
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.pubsub import rpc_queue
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.stream_muxer.yamux.yamux import (
    FLAG_SYN,
    TYPE_PING,
    YAMUX_HEADER_FORMAT,
    Yamux,
)
from libp2p.transport.upgrader import TransportUpgrader
from multiaddr import Multiaddr

from swarm.network.statistics import Statistics

log = logging.getLogger(__name__)

PUBSUB_MESSAGE_SIZE_MAX = 128 * 1024
"""Bytes of one message on a topic."""
RPC_SIZE_MAX = 1024 * 1024
"""Bytes of one pubsub frame; several messages and control entries may share one."""
FLOOD_SUBSCRIBERS_MAX = 12
"""Up to so many known subscribers, a message of ours goes to all of them directly."""
IDONTWANT_SIZE_MIN = 16 * 1024
"""Bytes; announcing a smaller message costs more than receiving it twice."""
HALF_OPEN_MAX = 128
_READ_AHEAD_BYTES = 64 * 1024
PING_INTERVAL_S = 1.5
PONG_TIMEOUT_S = 4.0
"""Longer than a starved process is silent; with the interval, a frozen one is dropped in 5.5 s."""

Handler = Callable[[INetStream], Awaitable[None]]


def guarded(handler: Handler, statistics: Statistics) -> Handler:
    """Wrap a stream handler: an exception out of a bare one ends the whole swarm."""

    async def handle(stream: INetStream) -> None:
        try:
            await handler(stream)
        except Exception as error:
            statistics.rejected["stream-handler"] += 1
            log.debug("stream handler: %r", error)
            await reset(stream)

    return handle


async def reset(stream: INetStream) -> None:
    """Abandon a stream, bounded and without raising what the far end may have caused."""
    with trio.move_on_after(1) as scope:
        scope.shield = True
        try:
            await stream.reset()
        except Exception as error:
            log.debug("reset: %r", error)


class GuardedSwarm(Swarm):
    """Gives an inbound slot back when its connection closes.

    The stock class keeps the slot until the swarm ends, so it stops listening to anyone after as
    many connections as it may have at once.
    """

    _half_open = 0

    async def _handle_inbound_connection(
        self, read_write_closer: ReadWriteCloser, maddr: Multiaddr
    ) -> None:
        if self._half_open >= HALF_OPEN_MAX:
            return  # the listener closes the socket when its handler ends
        raw = RawConnection(read_write_closer, False)
        self._half_open += 1
        try:
            connection = await self.upgrade_inbound_raw_conn(raw, maddr)
        except Exception as error:
            log.debug("inbound connection refused: %r", error)
            return
        finally:
            self._half_open -= 1
        if isinstance(connection, Yamux):
            await connection.event_closed.wait()


class GuardedUpgrader(TransportUpgrader):
    """Makes guarded connections; the stock one makes its own `Yamux`, whatever it was given."""

    async def upgrade_connection(self, conn: ISecureConn, peer_id: ID) -> IMuxedConn:
        await super().upgrade_connection(conn, peer_id)  # negotiates; its result never starts
        return GuardedYamux(conn, peer_id)


class GuardedYamux(Yamux):
    """Notices a silent remote, and keeps its own faults to itself.

    The stock connection never notices a frozen process or a cut cable, and an exception in one
    of its tasks ends the swarm. Frames on the connection itself are the cheapest sign of life.
    """

    async def start(self) -> None:
        try:
            await super().start()
        except Exception as error:
            log.debug("connection to %s failed: %r", self.peer_id, error)
            await self._cleanup_on_error()

    async def _measure_rtt_loop(self) -> None:
        while not self.event_shutting_down.is_set():
            with trio.move_on_after(PING_INTERVAL_S):
                await self.event_shutting_down.wait()
                return
            with trio.move_on_after(PONG_TIMEOUT_S) as patience:
                try:
                    await self._ping()
                except Exception as error:
                    log.debug("ping of %s: %r", self.peer_id, error)
                    return
            if patience.cancelled_caught:
                log.info("peer %s is silent for %s s, dropped", self.peer_id, PONG_TIMEOUT_S)
                await self.secured_conn.close()  # wakes the reader, which cleans up
                return

    async def _ping(self) -> None:
        self._ping_id = (self._ping_id + 1) % 2**32
        self._ping_event = trio.Event()
        self._ping_sent_time = trio.current_time()
        await self._write_frame(
            struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_PING, FLAG_SYN, 0, self._ping_id)
        )
        await self._ping_event.wait()


class BufferedReads:
    """Reads ahead on a stream, for a reader that takes single bytes.

    Each read costs a window update on the wire, and pubsub reads a frame's length byte by byte.
    """

    def __init__(self, stream: INetStream) -> None:
        self._stream = stream
        self._ahead = b""

    async def read(self, size: int) -> bytes:
        """Read at most `size` bytes."""
        if not self._ahead:
            self._ahead = await self._stream.read(_READ_AHEAD_BYTES)
        piece, self._ahead = self._ahead[:size], self._ahead[size:]
        return piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class RecentMessages(MutableMapping[bytes, rpc_pb2.Message]):
    """Replaces GossipSub's equivocation store, which keeps up to 1000 whole messages.

    It remembers nothing: a message is known by author and sequence number, the first one counts,
    and what two different ones under one number would mean is for the records' own signatures.
    """

    def __getitem__(self, key: bytes) -> rpc_pb2.Message:
        raise KeyError(key)

    def __setitem__(self, key: bytes, value: rpc_pb2.Message) -> None:
        pass

    def __delitem__(self, key: bytes) -> None:
        pass

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


class _ShortHistories(dict[str, Any]):
    """Replaces a table of all times a topic had a message, which is never trimmed."""

    def __missing__(self, topic: str) -> "deque[float]":
        history: deque[float] = deque(maxlen=16)
        self[topic] = history
        return history


class GuardedGossipSub(GossipSub):
    """Bounded memory, direct delivery to a small audience, and a heartbeat that goes on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.equivocation_detection = RecentMessages()  # type: ignore[assignment]
        self.recent_message_deliveries = _ShortHistories()
        self.neighbours_of: Callable[[ID], frozenset[ID]] = lambda peer: frozenset()
        """Whom a peer says it is connected to; empty when it has not said."""

    async def heartbeat(self) -> None:
        while True:
            try:
                await super().heartbeat()
            except Exception as error:
                log.debug("gossip heartbeat: %r", error)
                await trio.sleep(self.heartbeat_interval)

    async def on_peer_subscribed(self, peer_id: ID, topic: str) -> None:
        try:
            await super().on_peer_subscribed(peer_id, topic)
        except Exception as error:
            log.debug("graft of %s: %r", peer_id, error)

    async def flush_pending_messages(self, peer_id: ID) -> None:
        try:
            await super().flush_pending_messages(peer_id)
        except Exception as error:
            log.debug("flush to %s: %r", peer_id, error)

    def _get_peers_to_send(
        self,
        topic_ids: Iterable[str],
        msg_forwarder: ID,
        origin: ID,
        msg_id: bytes | None = None,
    ) -> Iterable[ID]:
        """Reach a small audience directly; relay only what the author cannot have delivered.

        A message of ours goes to all subscribers we know, if they are few. Whoever has few
        neighbours therefore reached every one of them itself, and relaying to those would only
        cost: with six connected peers, four copies in five.
        """
        chosen = set(super()._get_peers_to_send(topic_ids, msg_forwarder, origin, msg_id))
        if self.pubsub is None:
            return chosen
        if origin == self.pubsub.my_id:
            for topic in topic_ids:
                subscribers = self.pubsub.peer_topics.get(topic, set())
                if len(subscribers) <= FLOOD_SUBSCRIBERS_MAX:
                    chosen |= subscribers
        else:
            reached = self.neighbours_of(origin)
            if len(reached) <= FLOOD_SUBSCRIBERS_MAX:
                chosen -= reached
        return chosen

    def send_rpc(self, peer_id: ID, rpc: rpc_pb2.RPC, priority: bool = False) -> None:
        # The signed address record went with the greeting; checking it again costs as much as the
        # message itself.
        rpc.ClearField("senderRecord")
        super().send_rpc(peer_id, rpc, priority)

    async def _emit_idontwant_for_message(self, msg_id: bytes, topic_ids: Iterable[str]) -> None:
        message = self.mcache.get(msg_id)
        if message is not None and len(message.data) >= IDONTWANT_SIZE_MIN:
            await super()._emit_idontwant_for_message(msg_id, topic_ids)


class GuardedPubsub(Pubsub):
    """Survives bad protobuf and raising validators; hands messages over without a lossy channel.

    Args:
        take: Gets (topic, author, data) of every valid message of another peer.
        statistics: Where rejected input is counted.
        arguments: What the stock class takes.
    """

    def __init__(
        self,
        *args: Any,
        take: Callable[[str, ID, bytes], None],
        statistics: Statistics,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._take = take
        self._statistics = statistics
        # Sequence numbers must not repeat after a restart: the stock counter starts at the time
        # in seconds and is overtaken by a peer that published more than one message a second.
        self.counter = time.time_ns()

    async def stream_handler(self, stream: INetStream) -> None:
        try:
            await super().stream_handler(cast(INetStream, BufferedReads(stream)))
        except Exception as error:  # DecodeError of a malformed frame, above all
            self._statistics.rejected["pubsub-frame"] += 1
            peer = stream.muxed_conn.peer_id
            log.debug("pubsub stream of %s: %r", peer, error)
            await reset(stream)
            self._handle_dead_peer(peer)

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        if len(msg.data) > PUBSUB_MESSAGE_SIZE_MAX or len(msg.topicIDs) != 1:
            self._statistics.rejected["pubsub-message"] += 1
            return
        try:
            await super().push_msg(msg_forwarder, msg)
        except Exception as error:
            if msg_forwarder == self.my_id:
                raise
            self._statistics.rejected["pubsub-message"] += 1
            log.debug("pubsub message by way of %s: %r", msg_forwarder, error)

    def notify_subscriptions(self, publish_message: rpc_pb2.Message) -> None:
        author = ID(publish_message.from_id)
        if author == self.my_id:
            return
        for topic in publish_message.topicIDs:
            if topic in self.topic_ids:
                self._take(topic, author, publish_message.data)

    def _handle_dead_peer(self, peer_id: ID) -> None:
        try:
            super()._handle_dead_peer(peer_id)
        except Exception as error:
            log.debug("removing %s from pubsub: %r", peer_id, error)

    async def _replay_recent_messages(self, peer_id: ID, topic: str) -> None:
        try:
            await super()._replay_recent_messages(peer_id, topic)
        except Exception as error:
            log.debug("replay to %s: %r", peer_id, error)


def raise_queue_limits() -> None:
    """Let a peer's outbound queue hold a burst: 32 frames of stock are dropped silently beyond."""
    rpc_queue.RpcQueue.__init__.__defaults__ = (256, RPC_SIZE_MAX)
