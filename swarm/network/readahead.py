"""ReadAhead: a connection whose small frames are received together.

Noise and yamux read lengths and headers of a few bytes one by one, and each read of a socket costs
a system call and several turns of the event loop: more than the message that the frame carries.
"""

# ruff: noqa: D102  # the overridden methods are documented where they come from

from typing import cast

from libp2p.abc import IRawConnection
from libp2p.io.abc import ReadWriteCloser
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.transport.tcp.tcp import TCP
from multiaddr import Multiaddr

AHEAD_BYTES_MAX = 16 * 1024
"""What a connection may hold besides; pieces of weights are larger and read as they are."""


class ReadAhead(ReadWriteCloser):
    """Stands in for a stream that has one reader.

    Args:
        stream: Where bytes come from; everything but reading goes there directly.
    """

    def __init__(self, stream: ReadWriteCloser) -> None:
        self._stream = stream
        self._ahead = b""
        self._place = 0
        """Of the first byte of `_ahead` that was not handed out."""

    async def read(self, n: int | None = None) -> bytes:
        if self._place == len(self._ahead):
            if n is None or n >= AHEAD_BYTES_MAX:
                return await self._stream.read(n)
            self._ahead = await self._stream.read(AHEAD_BYTES_MAX)
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


class ReadAheadTCP(TCP):
    """Dials as the stock transport does; `GuardedSwarm` sees to whoever dials us."""

    async def dial(self, maddr: Multiaddr) -> IRawConnection:
        connection = cast(RawConnection, await super().dial(maddr))
        connection.stream = ReadAhead(connection.stream)
        return connection
