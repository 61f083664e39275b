"""FrameGate: checks each yamux frame of a connection before py-libp2p's frame loop sees it.

Yamux carries many streams over one connection, in frames: a header of 12 bytes (type, flags,
stream, length), and after a header of type data that number of bytes. A receiver grants each
stream a window: the number of bytes that the remote may send ahead of the reader.

py-libp2p's loop trusts the remote. It accepts any number of streams, keeps data beyond the window
it granted (its log says "exceeded receive window"), and answers frames as fast as they come.
The gate stands between the secured connection and that loop. It reads one header at a time, and
passes on only the frames that keep the rules. A stream over the limit is reset, and its frame is
skipped. A remote that exceeds its window is disconnected. A flood of frames is read more slowly.
All connections together may hold 128 MiB of unread data; beyond that, the connection that holds
most is closed. docs/edge.md has the numbers.
"""

import struct
from typing import Any

import trio
from libp2p.abc import ISecureConn
from libp2p.stream_muxer.yamux.yamux import (
    DEFAULT_WINDOW_SIZE,
    FLAG_RST,
    FLAG_SYN,
    HEADER_SIZE,
    TYPE_DATA,
    TYPE_WINDOW_UPDATE,
    YAMUX_HEADER_FORMAT,
    Yamux,
)

from swarm.network.limits import STREAMS, YAMUX_FRAMES, Bucket
from swarm.network.statistics import Statistics

STREAMS_MAX = 128
"""Most streams that a remote may have open on one connection; an honest peer has about ten."""
UNREAD_MAX = 128 * 1024 * 1024
"""Most bytes that all connections together may hold unread.

The data of an honest peer is read as it arrives; three pulls at once can have 48 MiB under way."""
_CHECK_EVERY_BYTES = 1024 * 1024
_READ_BYTES_MAX = 64 * 1024


class UnreadBytes:
    """Counts the unread bytes of each connection of a host, and picks the one to close."""

    def __init__(self) -> None:
        self._by_connection: dict[Yamux, int] = {}

    def note(self, connection: Yamux) -> Yamux | None:
        """Measure `connection`; return the connection to close if all together hold too much."""
        unread = sum(map(len, connection.stream_buffers.values()))
        self._by_connection[connection] = unread
        if sum(self._by_connection.values()) <= UNREAD_MAX:
            return None
        return max(self._by_connection, key=lambda c: self._by_connection[c])

    def forget(self, connection: Yamux) -> None:
        """Drop the count of a closed connection."""
        self._by_connection.pop(connection, None)


class FrameGate:
    """Wraps a secured connection; reads return only the frames that keep the rules.

    Args:
        connection: The yamux connection that the frames belong to.
        secured: The connection to read from; all calls except `read` go to it directly.
        statistics: Counts refused frames.
        unread: Counts unread bytes; shared by all connections of a host.
    """

    def __init__(
        self,
        connection: Yamux,
        secured: ISecureConn,
        statistics: Statistics,
        unread: UnreadBytes,
    ) -> None:
        self._connection = connection
        self._secured = secured
        self._statistics = statistics
        self._unread = unread
        now_s = trio.current_time()
        self._frames = Bucket(YAMUX_FRAMES, now_s)
        self._opened = Bucket(STREAMS, now_s)
        self._header = b""
        self._body_left = 0
        self._since_check = 0

    async def read(self, n: int | None = None) -> bytes:
        """Read at most `n` bytes of frames that passed the checks.

        Raises:
            ConnectionError: The remote broke a rule that ends the connection.
        """
        wanted = _READ_BYTES_MAX if n is None else n
        if self._header:
            piece, self._header = self._header[:wanted], self._header[wanted:]
            return piece
        if self._body_left == 0:
            self._header = await self._next_header()
            return await self.read(n)
        piece = await self._secured.read(min(wanted, self._body_left))
        self._body_left -= len(piece)
        await self._watch_unread(len(piece))
        return piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._secured, name)

    async def _next_header(self) -> bytes:
        while True:
            header = await self._read_exactly(HEADER_SIZE)
            if not header:
                return header
            await self._pace()
            _, kind, flags, stream_id, length = struct.unpack(YAMUX_HEADER_FORMAT, header)
            size = length if kind == TYPE_DATA else 0
            self._check_window(stream_id, size)
            opens = kind in (TYPE_DATA, TYPE_WINDOW_UPDATE) and flags & FLAG_SYN
            if opens and not self._may_open(stream_id):
                await self._refuse_stream(stream_id, size)
                continue
            self._body_left = size
            return header

    async def _pace(self) -> None:
        delay_s = self._frames.take_late(trio.current_time())
        if delay_s > 0.05:  # shorter delays add up first: a sleep costs more than a frame
            self._statistics.refuse("yamux-slowed")
            await trio.sleep(delay_s)

    def _check_window(self, stream_id: int, size: int) -> None:
        stream = self._connection.streams.get(stream_id)
        # An unknown stream (just closed, or about to open) has at most the first window.
        window = DEFAULT_WINDOW_SIZE if stream is None else stream.recv_window
        if size > window:
            self._statistics.refuse("yamux-window")
            raise ConnectionError(f"a frame must fit in its window of {window} bytes, got {size}")

    def _may_open(self, stream_id: int) -> bool:
        connection = self._connection
        if stream_id in connection.streams:
            return True  # the frame loop answers a repeated opening with a reset itself
        ours = connection.next_stream_id % 2
        num_open = sum(open_id % 2 != ours for open_id in connection.streams)
        if stream_id % 2 == ours or num_open >= STREAMS_MAX:
            self._statistics.refuse("streams-open")
            return False
        if not self._opened.take(trio.current_time()):
            self._statistics.refuse("streams-rate")
            return False
        return True

    async def _refuse_stream(self, stream_id: int, size: int) -> None:
        while size > 0:
            piece = await self._secured.read(min(size, _READ_BYTES_MAX))
            if not piece:
                return  # the connection ended, and no header follows
            size -= len(piece)
        await self._connection._write_frame(
            struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_WINDOW_UPDATE, FLAG_RST, stream_id, 0)
        )

    async def _watch_unread(self, size: int) -> None:
        self._since_check += size
        if self._since_check < _CHECK_EVERY_BYTES:
            return
        self._since_check = 0
        greediest = self._unread.note(self._connection)
        if greediest is not None:
            self._statistics.refuse("yamux-unread")
            self._unread.forget(greediest)
            await greediest.secured_conn.close()  # its reader cleans up

    async def _read_exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = await self._secured.read(size - len(data))
            if not piece:
                return data
            data += piece
        return data
