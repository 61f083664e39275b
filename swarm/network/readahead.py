"""ReadAhead: small frames that arrived together are received together.

Noise, yamux, pubsub and our own messages begin with a length of a few bytes, and each read of it
costs several turns of the event loop, of a socket a system call besides: more than the message.
"""

# ruff: noqa: D102  # the overridden methods are documented where they come from

from typing import Any, cast

from libp2p.abc import INetStream, IRawConnection
from libp2p.io.abc import ReadWriteCloser
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.transport.tcp.tcp import TCP
from multiaddr import Multiaddr

CONNECTION_BYTES = 16 * 1024
"""What a connection may hold; pieces of weights are larger and read as they are."""
STREAM_BYTES = 4 * 1024
"""What a stream may hold: a remote may open many of them."""


class ReadAhead(ReadWriteCloser):
    """Stands in for a stream that has one reader.

    Args:
        stream: Where bytes come from; everything but reading goes there directly.
        size_max: How many bytes to hold.
    """

    def __init__(self, stream: ReadWriteCloser, size_max: int = CONNECTION_BYTES) -> None:
        self._stream = stream
        self._size_max = size_max
        self._ahead = b""
        self._place = 0
        """Of the first byte of `_ahead` that was not handed out."""

    async def read(self, n: int | None = None) -> bytes:
        if n == 0:
            return b""
        if self._place == len(self._ahead):
            if n is None or n >= self._size_max:
                return await self._stream.read(n)
            self._ahead = await self._stream.read(self._size_max)
            self._place = 0
        end = len(self._ahead) if n is None else self._place + n
        piece = self._ahead[self._place : end]
        self._place += len(piece)
        return piece

    async def write(self, data: bytes) -> None:
        await self._stream.write(data)

    async def close(self) -> None:
        self._ahead, self._place = b"", 0  # nothing more is heard of who was hung up on
        await self._stream.close()

    def get_remote_address(self) -> tuple[str, int] | None:
        return self._stream.get_remote_address()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def read_ahead(stream: INetStream) -> INetStream:
    """A stream of small frames, for its one reader."""
    return cast(INetStream, ReadAhead(stream, STREAM_BYTES))


class ReadAheadTCP(TCP):
    """Dials as the stock transport does; `GuardedSwarm` sees to whoever dials us."""

    async def dial(self, maddr: Multiaddr) -> IRawConnection:
        connection = cast(RawConnection, await super().dial(maddr))
        connection.stream = ReadAhead(connection.stream)
        return connection
