"""ReadAhead: reads small frames that arrived together in one go.

Frames of Noise, yamux, pubsub and our own messages begin with a length of a few bytes. Each read
of such a length costs several turns of the event loop, and on a socket also a system call: more
than the message itself.
"""

# ruff: noqa: D102  # the overridden methods are documented in py-libp2p

from typing import Any, cast

from libp2p.abc import INetStream, IRawConnection
from libp2p.io.abc import ReadWriteCloser
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.transport.tcp.tcp import TCP
from multiaddr import Multiaddr

CONNECTION_BYTES = 16 * 1024
"""Bytes that are read ahead on a connection; pieces of weights are larger and read directly."""
STREAM_BYTES = 4 * 1024
"""Bytes that are read ahead on a stream; fewer, because a remote may open many streams."""


class ReadAhead(ReadWriteCloser):
    """Wraps a stream that has a single reader.

    Args:
        stream: The stream to read from; all other calls go to it directly.
        size_max: Number of bytes to read ahead.
    """

    def __init__(self, stream: ReadWriteCloser, size_max: int = CONNECTION_BYTES) -> None:
        self._stream = stream
        self._size_max = size_max
        self._ahead = b""
        self._place = 0
        """Place of the first byte of `_ahead` that was not returned yet."""

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
        self._ahead, self._place = b"", 0  # a closed stream delivers no more bytes
        await self._stream.close()

    def get_remote_address(self) -> tuple[str, int] | None:
        return self._stream.get_remote_address()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def read_ahead(stream: INetStream) -> INetStream:
    """Wrap a stream of small frames for its single reader."""
    return cast(INetStream, ReadAhead(stream, STREAM_BYTES))


class ReadAheadTCP(TCP):
    """Reads ahead on the connections that we dial; `GuardedSwarm` does so on inbound ones."""

    async def dial(self, maddr: Multiaddr) -> IRawConnection:
        connection = cast(RawConnection, await super().dial(maddr))
        connection.stream = ReadAhead(connection.stream)
        return connection
