"""Window updates of small reads share a frame; large transfers never wait for an update."""

import struct
from typing import Any, cast

import pytest
import trio
from libp2p.abc import INetStream, ISecureConn
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.peer.id import ID
from libp2p.stream_muxer.yamux.yamux import (
    HEADER_SIZE,
    TYPE_DATA,
    TYPE_WINDOW_UPDATE,
    YAMUX_HEADER_FORMAT,
)
from multiaddr import Multiaddr

from swarm.network.framegate import UnreadBytes
from swarm.network.guards import CREDIT_MIN, GuardedYamux
from swarm.network.identity import Identity
from swarm.network.libp2p_host import build_host, build_swarm
from swarm.network.statistics import Statistics

pytestmark = pytest.mark.trio
ECHO = TProtocol("/test/1")
SIZE = 2 * 1024 * 1024
Frame = tuple[int, int, int, int]
"""Type, flags, stream and length."""


class Wire:
    """A secured connection that remembers the frames written to it."""

    is_initiator = True

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    async def write(self, data: bytes) -> None:
        self.frames.append(struct.unpack(YAMUX_HEADER_FORMAT, data[:HEADER_SIZE])[1:])


def connection(wire: Wire) -> GuardedYamux:
    made = GuardedYamux(cast(ISecureConn, wire), ID(b"x" * 34), Statistics(), UnreadBytes())
    made.streams = {1: cast(Any, object()), 3: cast(Any, object())}
    return made


def update(stream: int, length: int, flags: int = 0) -> bytes:
    return struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_WINDOW_UPDATE, flags, stream, length)


async def test_small_credits_of_a_stream_share_one_frame() -> None:
    wire = Wire()
    yamux = connection(wire)

    for _ in range(16):
        await yamux._write_frame(update(1, CREDIT_MIN // 16))
        await yamux._write_frame(update(3, 4))

    assert wire.frames == [(TYPE_WINDOW_UPDATE, 0, 1, CREDIT_MIN)]


async def test_everything_else_is_written_at_once() -> None:
    wire = Wire()
    yamux = connection(wire)
    data = struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_DATA, 0, 1, 3) + b"abc"

    await yamux._write_frame(data)
    await yamux._write_frame(update(1, 0, flags=1))
    await yamux._write_frame(update(1, 2 * CREDIT_MIN))

    assert wire.frames == [
        (TYPE_DATA, 0, 1, 3),
        (TYPE_WINDOW_UPDATE, 1, 1, 0),
        (TYPE_WINDOW_UPDATE, 0, 1, 2 * CREDIT_MIN),
    ]


async def test_a_closed_stream_leaves_no_credit_behind() -> None:
    yamux = connection(Wire())
    await yamux._write_frame(update(1, 4))
    del yamux.streams[1]

    await yamux._write_frame(update(1, 4))

    assert not yamux._credit


async def test_a_stale_stream_leaves_no_credit_behind() -> None:
    yamux = connection(Wire())
    await yamux._write_frame(update(1, 4))
    yamux.streams = {}

    yamux._sweep_stale_streams()

    assert not yamux._credit


async def test_an_update_that_could_not_be_written_is_sent_with_the_next_one() -> None:
    wire = Wire()
    yamux = connection(wire)
    with trio.CancelScope() as scope:
        scope.cancel()
        await yamux._write_frame(update(1, CREDIT_MIN))

    await yamux._write_frame(update(1, 1))

    assert wire.frames == [(TYPE_WINDOW_UPDATE, 0, 1, CREDIT_MIN + 1)]


@pytest.mark.slow
@pytest.mark.network
async def test_many_small_reads_never_stall_a_large_transfer() -> None:
    received = trio.Event()

    async def read_in_small_pieces(stream: INetStream) -> None:
        left = SIZE
        while left:
            left -= len(await stream.read(1000))
        received.set()

    def host() -> BasicHost:
        return build_host(build_swarm(Identity.generate(), Statistics()))

    reader, writer = host(), host()
    reader.set_stream_handler(ECHO, read_in_small_pieces)
    anywhere = [Multiaddr("/ip4/127.0.0.1/tcp/0")]
    with trio.fail_after(30):
        async with reader.run(listen_addrs=anywhere), writer.run(listen_addrs=anywhere):
            writer.get_peerstore().add_addrs(reader.get_id(), reader.get_addrs(), 60)
            stream = await writer.new_stream(reader.get_id(), [ECHO])
            await stream.write(bytes(SIZE))
            await received.wait()
            for end in (reader, writer):
                for opened in end.get_network().get_connections():
                    await opened.close()
