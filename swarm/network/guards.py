"""Guards: libp2p's connections, hardened so that no remote input ends the process.

In py-libp2p an exception in one stream handler or one connection ends the whole host, slots of
closed connections are never returned, and a full host refuses even its most important neighbour.
The guards contain each fault where it happens, count it, and give resources back.
Handlers: `guarded` catches and counts what they raise; `limited` bounds each peer's streams.
Handshakes: bounded per address and in total; the most crowded address gives way.
Connections: 256 at most, and four of one peer. At the limit, the connection that matters least
makes room: an idle stranger always, another only if the newcomer matters more, or if more than
half of all connections come from its address.
Liveness: a ping every 1.5 s; a remote that does not answer within 4 s is dropped.

Each class overrides as little as it can of py-libp2p 0.8.1 (pinned exactly), and says which fault
it guards against. `gossip` does the same for pubsub. `tests/network/test_guards.py` and
`tests/fuzz` reproduce the faults that a remote can cause.
"""

# ruff: noqa: D102  # the overridden methods are documented in py-libp2p

import logging
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NoReturn, cast

import trio
from libp2p.abc import IMuxedConn, INetConn, INetStream, ISecureConn
from libp2p.io.abc import ReadWriteCloser
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.exceptions import SwarmException
from libp2p.network.stream.exceptions import StreamError
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.rcmgr import Direction
from libp2p.stream_muxer.yamux.yamux import (
    FLAG_SYN,
    TYPE_PING,
    TYPE_WINDOW_UPDATE,
    YAMUX_HEADER_FORMAT,
    Yamux,
    YamuxStream,
)
from libp2p.transport.upgrader import TransportUpgrader
from multiaddr import Multiaddr

from swarm.core.errors import PeerUnreachableError, RemoteProtocolError
from swarm.network.framegate import FrameGate, UnreadBytes
from swarm.network.limits import HANDSHAKES, Allowance, Rate
from swarm.network.readahead import ReadAhead
from swarm.network.statistics import Statistics

if TYPE_CHECKING:
    from libp2p.network.connection.swarm_connection import SwarmConn

log = logging.getLogger(__name__)

HALF_OPEN_MAX = 128
"""Most handshakes that run at once."""
CONNECTIONS_MAX = 256
"""Inbound and outbound; bounds memory when all peers know one bootstrap address."""
OUTBOUND_WORTH = 2
"""Worth of a peer that we dialled, because we wanted it. See `GuardedSwarm.worth`."""
CONNECTIONS_PER_PEER_MAX = 4
"""Two peers that dial each other at the same time have two connections for a moment."""
PING_INTERVAL_S = 1.5
PONG_TIMEOUT_S = 4.0
"""Longer than a starved process is silent. With the interval, a frozen one is dropped in 5.5 s."""

CREDIT_MIN = 64 * 1024
"""Bytes that are credited to a remote together: a quarter of the first window."""

Handler = Callable[[INetStream], Awaitable[None]]


def guarded(handler: Handler, name: str, statistics: Statistics) -> Handler:
    """Wrap a stream handler, because an exception from an unwrapped one ends the whole host.

    The fault is counted as `name-slow`, `name-cut` (the stream ended early), `name-bad` (the
    remote broke a rule) or `name-error`.
    """

    async def handle(stream: INetStream) -> None:
        try:
            await handler(stream)
        except Exception as error:
            statistics.refuse(f"{name}-{_fault(error)}")
            log.debug("%s stream: %r", name, error)
            await reset(stream)

    return handle


def limited(
    handler: Handler, name: str, statistics: Statistics, rate: Rate, at_once_max: int
) -> Handler:
    """Wrap a stream handler: limit the streams of one peer, per second and at once."""
    allowance = Allowance(rate)
    under_way: Counter[ID] = Counter()

    async def handle(stream: INetStream) -> None:
        peer = stream.muxed_conn.peer_id
        if under_way[peer] >= at_once_max or not allowance.take(peer):
            statistics.refuse(f"{name}-rate")
            await reset(stream)
            return
        under_way[peer] += 1
        try:
            await handler(stream)
        finally:
            under_way[peer] -= 1
            if not under_way[peer]:
                del under_way[peer]

    return handle


def _fault(error: Exception) -> str:
    match error:
        case trio.TooSlowError():
            return "slow"
        case RemoteProtocolError():
            return "bad"
        case PeerUnreachableError() | StreamError():
            return "cut"
        case _:
            return "error"


async def reset(stream: INetStream) -> None:
    """Abandon a stream within a second, without raising errors that the remote may have caused."""
    with trio.move_on_after(1) as scope:
        scope.shield = True
        try:
            await stream.reset()
        except Exception as error:
            log.debug("reset: %r", error)


class GuardedSwarm(Swarm):
    """Returns inbound slots, and makes room for a newcomer when strangers hold all of them.

    libp2p's class keeps a slot until the host ends, so after 256 connections in total it accepts
    no more. At the limit it refuses the next caller, even a neighbour that this peer needs.
    """

    def __init__(self, *args: Any, statistics: Statistics, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.statistics = statistics
        self.worth: Callable[[ID], int] = lambda peer: 0
        """Returns how much a peer's connection matters to us; 0 for an idle stranger."""
        self._num_joining = 0
        self._half_open: dict[trio.CancelScope, str] = {}
        self._handshakes = Allowance(HANDSHAKES)

    async def _handle_inbound_connection(
        self, read_write_closer: ReadWriteCloser, maddr: Multiaddr
    ) -> None:
        # The listener closes the socket when this method returns.
        address = (read_write_closer.get_remote_address() or ("", 0))[0]
        if not self._handshakes.take(address):
            self.statistics.refuse("handshake-rate")
            return
        raw = RawConnection(ReadAhead(read_write_closer), False)
        connection = await self._shake_hands(raw, maddr, address)
        if isinstance(connection, Yamux):
            await connection.event_closed.wait()

    async def _shake_hands(
        self, raw: RawConnection, maddr: Multiaddr, address: str
    ) -> IMuxedConn | None:
        if len(self._half_open) >= HALF_OPEN_MAX:
            self._give_up_one()
        scope = trio.CancelScope()
        self._half_open[scope] = address
        with scope:
            try:
                return await self.upgrade_inbound_raw_conn(raw, maddr)
            except Exception as error:
                self.statistics.refuse("handshake")
                log.debug("inbound connection refused: %r", error)
            finally:
                self._half_open.pop(scope, None)
        return None

    def _give_up_one(self) -> None:
        """End the oldest unfinished handshake of the address that has the most of them."""
        crowd = Counter(self._half_open.values())
        scope = max(self._half_open, key=lambda scope: crowd[self._half_open[scope]])
        del self._half_open[scope]
        scope.cancel()
        self.statistics.refuse("handshake-crowd")

    def has_dialled(self, peer: ID) -> bool:
        """Return whether we opened one of the connections to `peer`."""
        connections = cast("list[SwarmConn]", self.connections.get(peer, []))
        return any(connection.direction == Direction.OUTBOUND for connection in connections)

    async def add_conn(self, muxed_conn: IMuxedConn, direction: str = "unknown") -> "SwarmConn":
        # The peer is authenticated, so its newest connection is the one that it still uses.
        others = self.connections.get(muxed_conn.peer_id, [])
        if len(others) >= CONNECTIONS_PER_PEER_MAX:
            self.statistics.refuse("connections-peer")
            await self._drop(others[0])
        # Take the place before the first wait: other connections may arrive in the meantime.
        is_full = self.is_full
        self._num_joining += 1
        try:
            if is_full:
                await self._make_room(muxed_conn, direction)
            return await super().add_conn(muxed_conn, direction)
        finally:
            self._num_joining -= 1

    @property
    def is_full(self) -> bool:
        """Whether all connections are taken, or are about to be."""
        return len(self.get_connections()) + self._num_joining >= CONNECTIONS_MAX

    async def _make_room(self, newcomer: IMuxedConn, direction: str) -> None:
        """Close the connection that matters least, if it matters less than the new one.

        Raises:
            SwarmException: The new one is turned away. Except for an idle stranger, no connection
                gives way to an equal one, because its peer would come back at once.
        """
        connections = self.get_connections()
        crowd = Counter(map(_remote_ip, connections))

        def matters(connection: INetConn) -> tuple[int, int, float]:
            # Strangers of one address are more likely a single one; the youngest of them goes.
            created_s = cast("SwarmConn", connection)._created_at
            worth = self.worth(connection.muxed_conn.peer_id)
            return worth, -crowd[_remote_ip(connection)], -created_s

        self.statistics.refuse("connections-crowd")
        if not connections:
            await self._turn_away(newcomer)
        victim = min(connections, key=matters)
        worth, crowd_there, _ = matters(victim)
        worth_here = OUTBOUND_WORTH if direction == "outbound" else self.worth(newcomer.peer_id)
        is_siege = -crowd_there > CONNECTIONS_MAX // 2 and _remote_ip(victim) != _ip(newcomer)
        if worth and worth >= worth_here and not is_siege:
            await self._turn_away(newcomer)
        await self._drop(victim)

    async def _turn_away(self, newcomer: IMuxedConn) -> NoReturn:
        await cast(GuardedYamux, newcomer).hang_up()
        raise SwarmException(f"all {CONNECTIONS_MAX} connections are taken")

    async def _drop(self, connection: INetConn) -> None:
        # The slot is free at once; the rest follows when the reader finds the socket closed. A
        # goodbye would have to wait for a remote that may not read.
        self.remove_conn(cast("SwarmConn", connection))
        await cast(GuardedYamux, connection.muxed_conn).hang_up()


def _remote_ip(connection: INetConn) -> str:
    return _ip(connection.muxed_conn)


def _ip(connection: IMuxedConn) -> str:
    address = cast(Yamux, connection).get_remote_address()
    return address[0] if address is not None else ""


class GuardedUpgrader(TransportUpgrader):
    """Makes guarded connections; libp2p's class makes plain `Yamux` ones, whatever it is given."""

    def __init__(self, *args: Any, statistics: Statistics, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._statistics = statistics
        self._unread = UnreadBytes()

    async def upgrade_connection(self, conn: ISecureConn, peer_id: ID) -> IMuxedConn:
        await super().upgrade_connection(conn, peer_id)  # negotiates; its result is not used
        return GuardedYamux(conn, peer_id, self._statistics, self._unread)


class GuardedYamux(Yamux):
    """Notices a silent remote, contains its own faults, and reads through a `FrameGate`.

    libp2p's class never notices a frozen process or a cut cable, and an exception in one of its
    tasks ends the host. A ping on the connection itself is the cheapest sign of life.
    libp2p also answers each read, even of four bytes, with a window update, which costs both
    sides as much as a message. Here the updates of a stream are collected into one.
    """

    def __init__(
        self, conn: ISecureConn, peer_id: ID, statistics: Statistics, unread: UnreadBytes
    ) -> None:
        super().__init__(conn, peer_id)
        self._unread = unread
        self._credit: dict[int, int] = {}
        """Bytes by stream that were read here and are not credited to the remote yet."""
        self.secured_conn = cast(ISecureConn, FrameGate(self, conn, statistics, unread))

    async def start(self) -> None:
        try:
            await super().start()
        except Exception as error:
            log.debug("connection to %s failed: %r", self.peer_id, error)
            await self._cleanup_on_error()
        finally:
            self._unread.forget(self)

    async def hang_up(self) -> None:
        """Close the connection under the reader, which then cleans up."""
        await self.secured_conn.close()

    async def _write_frame(self, data: bytes) -> None:
        _, kind, flags, stream_id, length = struct.unpack_from(YAMUX_HEADER_FORMAT, data)
        if kind != TYPE_WINDOW_UPDATE or flags:
            await super()._write_frame(data)
            return
        credit = self._credit.pop(stream_id, 0) + length
        if credit < CREDIT_MIN and stream_id in self.streams:
            self._credit[stream_id] = credit
            await trio.lowlevel.checkpoint()
            return
        try:
            await super()._write_frame(
                struct.pack(YAMUX_HEADER_FORMAT, 0, kind, 0, stream_id, credit)
            )
        except BaseException:
            self._credit[stream_id] = self._credit.get(stream_id, 0) + credit
            raise

    def _sweep_stale_streams(self, now: float | None = None) -> int:
        num_swept = super()._sweep_stale_streams(now)
        self._credit = {i: credit for i, credit in self._credit.items() if i in self.streams}
        return num_swept

    def _finalize_stream_locked(self, stream: YamuxStream, *, fully_closed: bool) -> None:
        if fully_closed:
            self._credit.pop(stream.stream_id, None)
        if stream.reset_received:
            # A reset stream has no reader; libp2p would keep its bytes for 90 s.
            buffer = self.stream_buffers.get(stream.stream_id)
            if buffer is not None:
                buffer.clear()
        super()._finalize_stream_locked(stream, fully_closed=fully_closed)

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
                log.info("dropped peer %s: silent for %s s", self.peer_id, PONG_TIMEOUT_S)
                await self.hang_up()
                return

    async def _ping(self) -> None:
        self._ping_id = (self._ping_id + 1) % 2**32
        self._ping_event = trio.Event()
        self._ping_sent_time = trio.current_time()
        await self._write_frame(
            struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_PING, FLAG_SYN, 0, self._ping_id)
        )
        await self._ping_event.wait()
