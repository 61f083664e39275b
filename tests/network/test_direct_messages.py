"""Direct messages over streams that stay open; the streams exist in memory only."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from swarm.core.errors import PeerUnreachableError
from swarm.core.ids import PeerId
from swarm.network.direct_messages import DirectMessages
from swarm.network.events import DirectMessage
from swarm.network.identity import Identity
from swarm.network.inbox import Inbox
from swarm.network.limits import DIRECT_MESSAGES
from swarm.network.statistics import Statistics
from swarm.network.streams import frame

BEN = Identity.generate().peer_id


class Stream:
    """One direction: written bytes can be read, until the stream is closed or breaks."""

    def __init__(self) -> None:
        self._into, self._out_of = trio.open_memory_channel[bytes](1000)
        self._rest = b""
        self.is_reset = False
        self.muxed_conn = self
        self.peer_id = self

    def to_base58(self) -> str:
        return BEN

    async def write(self, data: bytes) -> None:
        if self.is_reset:
            raise RuntimeError("stream is reset")
        await self._into.send(data)

    async def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = await self._out_of.receive()
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    async def close(self) -> None:
        await self._into.aclose()

    async def reset(self) -> None:
        self.is_reset = True


class Host:
    """Opens streams to Ben, and passes them to the receiver."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.taken: Callable[[Stream], None] = lambda stream: None
        self.is_there = True

    def get_network(self) -> "Host":
        return self

    def get_connections(self, _peer: object) -> list[object]:
        return [self] if self.is_there else []

    async def new_stream(self, _peer: object, _protocols: object) -> Stream:
        await trio.lowlevel.checkpoint()
        self.streams.append(Stream())
        self.taken(self.streams[-1])
        return self.streams[-1]

    async def connect(self, peer: PeerId) -> None:
        if not self.is_there:
            raise PeerUnreachableError(f"{peer} is not there")


class Pair:
    """A sender and a receiver, with the messages that the receiver took and refused."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.host: Any = Host()
        self.statistics = Statistics()
        self.inbox = Inbox(self.statistics)
        self.messages = DirectMessages(self.host, self.host, self.inbox, self.statistics)
        self.got: list[bytes] = []
        self._changed = trio.Event()
        self.host.taken = lambda stream: nursery.start_soon(self.take, stream)
        nursery.start_soon(self.inbox.deliver_forever, self._deliver)

    async def take(self, stream: Any) -> None:
        try:
            await self.messages.take(stream)
        except trio.TooSlowError:
            await stream.reset()

    async def wait(self, number: int) -> list[bytes]:
        while len(self.got) < number:
            await self._changed.wait()
        return self.got

    async def _deliver(self, event: object) -> None:
        assert isinstance(event, DirectMessage)
        self.got.append(event.data)
        self._changed.set()
        self._changed = trio.Event()


@asynccontextmanager
async def a_pair() -> AsyncIterator[Pair]:
    with trio.fail_after(300):
        async with trio.open_nursery() as nursery:
            yield Pair(nursery)
            nursery.cancel_scope.cancel()


async def test_messages_share_a_stream_and_come_in_order() -> None:
    async with a_pair() as pair:
        for number in range(50):
            await pair.messages.send(BEN, bytes([number]) * 5000)

        assert [data[0] for data in await pair.wait(50)] == list(range(50))
        assert len(pair.host.streams) == 1


async def test_messages_sent_at_once_do_not_mix() -> None:
    async with a_pair() as pair, trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(pair.messages.send, BEN, bytes([number]) * 5000)

        got = await pair.wait(50)
        assert sorted(got) == [bytes([number]) * 5000 for number in range(50)]
        assert len(pair.host.streams) == 1


async def test_a_message_is_sent_even_if_the_stream_of_the_last_one_broke() -> None:
    async with a_pair() as pair:
        await pair.messages.send(BEN, b"one")
        await pair.host.streams[0].reset()
        await pair.messages.send(BEN, b"two")
        pair.messages.forget(BEN)
        await pair.messages.send(BEN, b"three")

        assert await pair.wait(3) == [b"one", b"two", b"three"]
        assert len(pair.host.streams) == 3


async def test_an_unreachable_peer_is_not_remembered() -> None:
    async with a_pair() as pair:
        pair.host.is_there = False
        with pytest.raises(PeerUnreachableError):
            await pair.messages.send(BEN, b"one")

        assert not pair.messages._lines


async def test_a_stream_with_half_a_message_is_reset_and_not_used_again(
    autojump_clock: object,
) -> None:
    async with a_pair() as pair:
        pair.host.taken = lambda stream: None  # the stream has no reader
        with trio.move_on_after(1):
            for _ in range(1001):
                await pair.messages.send(BEN, b"x")
        assert pair.host.streams[0].is_reset

        await pair.messages.send(BEN, b"y")
        assert len(pair.host.streams) == 2


async def test_a_stream_ends_between_messages_and_nothing_is_refused() -> None:
    async with a_pair() as pair:
        stream = Stream()
        await stream.write(frame(b"one")[:2])
        await stream.write(frame(b"one")[2:] + frame(b"two"))
        await stream.close()
        await pair.messages.take(stream)

        assert await pair.wait(2) == [b"one", b"two"]
        assert pair.statistics.rejected == {}


async def test_the_rest_of_a_message_must_arrive_in_time(autojump_clock: object) -> None:
    async with a_pair() as pair:
        stream = Stream()
        await stream.write(frame(b"one")[:5])
        began_s = trio.current_time()
        with pytest.raises(trio.TooSlowError):
            await pair.messages.take(stream)

        assert trio.current_time() - began_s == pytest.approx(5.0, abs=0.01)


async def test_of_a_peers_streams_only_the_newest_may_be_silent(autojump_clock: object) -> None:
    async with a_pair() as pair, trio.open_nursery() as nursery:
        old, new = Stream(), Stream()
        nursery.start_soon(pair.take, old)
        await trio.sleep(100)
        assert not old.is_reset
        nursery.start_soon(pair.take, new)
        await trio.sleep(6)

        assert old.is_reset
        await new.write(frame(b"here"))
        assert await pair.wait(1) == [b"here"]
        nursery.cancel_scope.cancel()


async def test_a_peer_that_sends_too_much_is_slowed_and_refused(autojump_clock: object) -> None:
    async with a_pair() as pair, trio.open_nursery() as nursery:
        stream = Stream()
        nursery.start_soon(pair.take, stream)
        for number in range(1000):
            await stream.write(frame(str(number).encode()))
        began_s = trio.current_time()
        await trio.testing.wait_all_tasks_blocked()
        burst = len(pair.got)
        await trio.sleep(5)

        assert DIRECT_MESSAGES.burst - 1 <= burst <= DIRECT_MESSAGES.burst
        refused = pair.statistics.rejected["message-rate"]
        assert refused <= (trio.current_time() - began_s) * DIRECT_MESSAGES.per_s + 1
        nursery.cancel_scope.cancel()
