"""The outbox: blobs and topics that several machines of one host want."""

from pathlib import Path
from typing import Any

import trio

from swarm.core.blobs import BlobRef
from swarm.network.store import FileBlobStore
from swarm.peer.host.outbox import Outbox

FIRST, SECOND = "first", "second"


class StubNetwork:
    """A network that sends nothing and notes which connections are kept."""

    kept: tuple[str, ...] = ()

    def keep_connected(self, peers: tuple[str, ...]) -> None:
        self.kept = peers


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
