"""Guards: libp2p's connections, hardened so that no remote input ends the process.

Every class here overrides the least it can of py-libp2p 0.8.1 (pinned exactly) and says which
fault it guards against. `gossip` does the same for pubsub. `tests/network/test_guards.py` and
`tests/fuzz` reproduce the faults a remote can cause.
"""

# ruff: noqa: D102  # the overridden methods are documented where they come from

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
"""Handshakes under way at once."""
CONNECTIONS_MAX = 256
"""Inbound and outbound; what bounds memory when everybody knows one bootstrap address."""
OUTBOUND_WORTH = 2
"""Of a peer we dialled: we wanted it. See `GuardedSwarm.worth`."""
CONNECTIONS_PER_PEER_MAX = 4
"""Two that dialled each other at once have two for a moment."""
PING_INTERVAL_S = 1.5
PONG_TIMEOUT_S = 4.0
"""Longer than a starved process is silent; with the interval, a frozen one is dropped in 5.5 s."""

CREDIT_MIN = 64 * 1024
"""Bytes that a remote may send again, and is told of together: a quarter of the first window."""

Handler = Callable[[INetStream], Awaitable[None]]


def guarded(handler: Handler, name: str, statistics: Statistics) -> Handler:
    """Wrap a stream handler: an exception out of a bare one ends the whole swarm.

    What went wrong is counted as `name-slow`, `name-cut` (the stream ended early), `name-bad` (a
    rule was broken) or `name-error`.
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
    """Wrap a stream handler: one peer opens so many streams a second, and so many at once."""
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
    """Abandon a stream, bounded and without raising what the far end may have caused."""
    with trio.move_on_after(1) as scope:
        scope.shield = True
        try:
            await stream.reset()
        except Exception as error:
            log.debug("reset: %r", error)


class GuardedSwarm(Swarm):
    """Gives inbound slots back, and finds room for a newcomer when strangers hold them all.

    The stock class keeps a slot until the swarm ends, so it stops listening to anyone after as
    many connections as it may have at once; and at the limit it refuses whoever comes next, be
    it the neighbour this peer cannot do without.
    """

    def __init__(self, *args: Any, statistics: Statistics, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.statistics = statistics
        self.worth: Callable[[ID], int] = lambda peer: 0
        """How much a peer's connection matters to us: 0 for an idle stranger's."""
        self._num_joining = 0
        self._half_open: dict[trio.CancelScope, str] = {}
        self._handshakes = Allowance(HANDSHAKES)

    async def _handle_inbound_connection(
        self, read_write_closer: ReadWriteCloser, maddr: Multiaddr
    ) -> None:
        # The listener closes the socket when its handler ends.
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
        """End the oldest unfinished handshake of the address that has most of them."""
        crowd = Counter(self._half_open.values())
        scope = max(self._half_open, key=lambda scope: crowd[self._half_open[scope]])
        del self._half_open[scope]
        scope.cancel()
        self.statistics.refuse("handshake-crowd")

    def has_dialled(self, peer: ID) -> bool:
        """Say whether we opened one of the connections to `peer`."""
        connections = cast("list[SwarmConn]", self.connections.get(peer, []))
        return any(connection.direction == Direction.OUTBOUND for connection in connections)

    async def add_conn(self, muxed_conn: IMuxedConn, direction: str = "unknown") -> "SwarmConn":
        # The peer is authenticated: its newest connection is the one that it can still use.
        others = self.connections.get(muxed_conn.peer_id, [])
        if len(others) >= CONNECTIONS_PER_PEER_MAX:
            self.statistics.refuse("connections-peer")
            await self._drop(others[0])
        # The place is taken before anything is waited for: others come in the meantime.
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
        """Whether every connection is taken, or will be in a moment."""
        return len(self.get_connections()) + self._num_joining >= CONNECTIONS_MAX

    async def _make_room(self, newcomer: IMuxedConn, direction: str) -> None:
        """Close the connection that matters least, if it matters less than the new one.

        Raises:
            SwarmException: It does not. Nobody is closed for an equal: it would come back at once.
        """
        connections = self.get_connections()
        crowd = Counter(map(_remote_ip, connections))

        def matters(connection: INetConn) -> tuple[int, int, float]:
            # Strangers of one address are more likely one stranger; of those the youngest goes.
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
        # Its slot is free at once; the rest follows when its reader finds the socket closed. A
        # goodbye would have to wait for a remote that may not read.
        self.remove_conn(cast("SwarmConn", connection))
        await cast(GuardedYamux, connection.muxed_conn).hang_up()


def _remote_ip(connection: INetConn) -> str:
    return _ip(connection.muxed_conn)


def _ip(connection: IMuxedConn) -> str:
    address = cast(Yamux, connection).get_remote_address()
    return address[0] if address is not None else ""


class GuardedUpgrader(TransportUpgrader):
    """Makes guarded connections; the stock one makes its own `Yamux`, whatever it was given."""

    def __init__(self, *args: Any, statistics: Statistics, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._statistics = statistics
        self._unread = UnreadBytes()

    async def upgrade_connection(self, conn: ISecureConn, peer_id: ID) -> IMuxedConn:
        await super().upgrade_connection(conn, peer_id)  # negotiates; its result never starts
        return GuardedYamux(conn, peer_id, self._statistics, self._unread)


class GuardedYamux(Yamux):
    """Notices a silent remote, keeps its own faults to itself, and reads through a gate.

    The stock connection never notices a frozen process or a cut cable, and an exception in one
    of its tasks ends the swarm. Frames on the connection itself are the cheapest sign of life.
    It also answers every read, were it of four bytes, with a window update, which costs both
    sides as much as a message: here those of a stream share one.
    """

    def __init__(
        self, conn: ISecureConn, peer_id: ID, statistics: Statistics, unread: UnreadBytes
    ) -> None:
        super().__init__(conn, peer_id)
        self._unread = unread
        self._credit: dict[int, int] = {}
        """Bytes by stream that were read and that the remote was not told of."""
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
        """Close what the reader reads from; it cleans up."""
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
            # Nobody reads a reset stream; the stock class keeps its bytes for 90 s.
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
                log.info("peer %s is silent for %s s, dropped", self.peer_id, PONG_TIMEOUT_S)
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
