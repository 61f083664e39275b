"""The outbox: blobs and topics that several machines of one host want."""

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from swarm.core.blobs import BlobRef
from swarm.core.effects import Publish
from swarm.core.errors import LocalProtocolError
from swarm.core.ids import PeerId
from swarm.core.machine import Event, TimerFired
from swarm.ensemble.messages import EnsembleQuery, MemberGoodbye
from swarm.ensemble.spec import EnsembleId
from swarm.network.store import FileBlobStore
from swarm.peer.host.outbox import Outbox
from swarm.peer.host.wire import encode

FIRST, SECOND = "first", "second"
PEER = PeerId("12D3KooWAnna")


class StubNetwork:
    """A network that notes what is sent, and which connections are kept."""

    kept: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.published: list[bytes] = []
        self.sent: list[bytes] = []

    async def publish(self, topic: str, data: bytes) -> None:
        refuse_large(data)
        self.published.append(data)

    async def send(self, peer: PeerId, data: bytes) -> None:
        refuse_large(data)
        self.sent.append(data)

    def keep_connected(self, peers: tuple[str, ...]) -> None:
        self.kept = peers


def refuse_large(data: bytes) -> None:
    """As the real network does, with a smaller limit."""
    if len(data) > 1000:
        raise LocalProtocolError(f"a message must have at most 1000 bytes, got {len(data)}")


async def opened(folder: Path) -> tuple[Outbox, FileBlobStore, StubNetwork]:
    network: Any = StubNetwork()
    store = FileBlobStore(folder)
    async with trio.open_nursery() as nursery:
        return Outbox(network, store, nursery), store, network


async def test_an_attached_blob_is_kept_until_its_machine_says_what_it_wants(
    tmp_path: Path,
) -> None:
    outbox, store, _ = await opened(tmp_path)
    outbox.keep_blobs(FIRST, frozenset())
    outbox.keep_blobs(SECOND, frozenset())
    blob = outbox.put_attached(FIRST, b"weights")
    assert blob is not None

    outbox.keep_blobs(SECOND, frozenset())
    assert store.has(blob)

    outbox.keep_blobs(FIRST, frozenset())
    assert not store.has(blob)


async def test_an_attached_blob_for_a_machine_that_keeps_none_is_not_stored(
    tmp_path: Path,
) -> None:
    outbox, store, _ = await opened(tmp_path)

    assert outbox.put_attached("a session that is only observed", b"weights") is None
    assert not list(store.incoming.parent.glob("[0-9a-f]*"))


async def test_a_blob_that_two_machines_want_survives_the_end_of_one(tmp_path: Path) -> None:
    outbox, store, _ = await opened(tmp_path)
    blob: BlobRef = store.put(b"shared")
    outbox.keep_blobs(FIRST, frozenset([blob]))
    outbox.keep_blobs(SECOND, frozenset([blob]))

    outbox.forget(FIRST)
    outbox.keep_blobs("third", frozenset())

    assert store.has(blob)


async def test_connections_of_a_machine_that_ended_are_not_kept(tmp_path: Path) -> None:
    outbox, _, network = await opened(tmp_path)
    outbox.keep_connected(FIRST, ["anna", "ben"])  # type: ignore[list-item]
    outbox.keep_connected(SECOND, ["ben"])  # type: ignore[list-item]

    outbox.forget(FIRST)

    assert network.kept == ("ben",)


QUERY = EnsembleQuery(PEER)
UNFIT = [
    pytest.param(MemberGoodbye(EnsembleId("x" * 2000), PEER), id="too large"),
    pytest.param(MemberGoodbye(EnsembleId("x" * 2**19), PEER), id="too large for any envelope"),
    pytest.param(MemberGoodbye(EnsembleId("\ud800"), PEER), id="no text"),
    pytest.param(TimerFired("tick"), id="no wire form"),
]


@pytest.mark.parametrize("message", UNFIT)
async def test_a_message_that_cannot_travel_is_dropped_and_the_next_one_published(
    tmp_path: Path, message: Event
) -> None:
    outbox, _, network = await opened(tmp_path)
    outbox.publish(Publish("topic", message))
    outbox.publish(Publish("topic", QUERY))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert network.published == [encode(QUERY)]


@pytest.mark.parametrize("message", UNFIT)
async def test_a_direct_message_that_cannot_travel_is_dropped(
    tmp_path: Path, message: Event
) -> None:
    network: Any = StubNetwork()
    async with trio.open_nursery() as nursery:
        outbox = Outbox(network, FileBlobStore(tmp_path), nursery)
        outbox.send(PEER, message)
        outbox.send(PEER, QUERY)

    assert network.sent == [encode(QUERY)]
