"""ReadAhead returns the same bytes as the stream, for reads of any size, with fewer reads."""

import pytest

from swarm.network.readahead import CONNECTION_BYTES, ReadAhead

pytestmark = pytest.mark.trio


class Stream:
    """Delivers pieces as a socket would, and counts reads."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.num_reads = 0
        self.closed = False

    async def read(self, n: int | None = None) -> bytes:
        self.num_reads += 1
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if n is not None and len(piece) > n:
            self.pieces.insert(0, piece[n:])
            piece = piece[:n]
        return piece

    async def close(self) -> None:
        self.closed = True


def ahead(stream: Stream) -> ReadAhead:
    return ReadAhead(stream)  # type: ignore[arg-type]


async def test_frames_that_arrived_together_cost_one_read() -> None:
    stream = Stream(b"\x00\x03abc" * 20, b"\x00\x01z")
    reader = ahead(stream)

    received = [await reader.read(size) for _ in range(20) for size in (2, 3)]

    assert received == [b"\x00\x03", b"abc"] * 20
    assert stream.num_reads == 1
    assert await reader.read(2) == b"\x00\x01"
    assert stream.num_reads == 2


async def test_a_read_returns_what_is_there_and_never_more_than_requested() -> None:
    reader = ahead(Stream(b"abcd", b"ef"))

    assert [await reader.read(3), await reader.read(3), await reader.read(3)] == [
        b"abc",
        b"d",
        b"ef",
    ]


async def test_large_reads_are_direct_once_nothing_is_read_ahead() -> None:
    stream = Stream(b"\x00\x00" + bytes(3 * CONNECTION_BYTES))
    reader = ahead(stream)

    head = await reader.read(2)
    held = await reader.read(2 * CONNECTION_BYTES)
    rest = await reader.read(2 * CONNECTION_BYTES)

    assert len(head + held) == CONNECTION_BYTES
    assert len(rest) == 2 * CONNECTION_BYTES


async def test_a_read_without_a_size_returns_first_what_was_read_ahead() -> None:
    reader = ahead(Stream(b"abc", b"de"))

    assert [await reader.read(1), await reader.read(), await reader.read()] == [b"a", b"bc", b"de"]


async def test_each_read_after_the_end_returns_nothing() -> None:
    reader = ahead(Stream(b"a"))

    assert [await reader.read(1) for _ in range(3)] == [b"a", b"", b""]


async def test_a_closed_stream_delivers_no_more_bytes() -> None:
    stream = Stream(b"abcdef")
    reader = ahead(stream)
    await reader.read(1)

    await reader.close()

    assert stream.closed
    assert await reader.read(5) == b""


async def test_a_read_of_zero_bytes_does_not_wait() -> None:
    stream = Stream(b"abc")

    assert await ahead(stream).read(0) == b""
    assert stream.num_reads == 0
