import errno
from pathlib import Path

import pytest
import trio
import trio.testing

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.errors import BlobCorruptError, BlobNotFoundError, StorageError
from swarm.network.store import FileBlobStore, PartialBlob

HELLO = BlobRef(sha256_hex(b"hello"), 5)
OTHER = BlobRef(sha256_hex(b"other"), 5)


@pytest.fixture
def store(tmp_path):
    return FileBlobStore(tmp_path / "blobs", size_max=1000)


def test_bytes_that_were_put_can_be_read(store):
    assert store.put(b"hello") == HELLO
    assert store.put(b"hello") == HELLO
    assert store.has(HELLO)
    assert store.read(HELLO) == b"hello"


def test_an_unknown_blob_is_not_found(store):
    assert not store.has(HELLO)
    with pytest.raises(BlobNotFoundError, match=HELLO.digest):
        store.path(HELLO)


def test_a_worker_s_file_moves_into_the_store(store):
    output = store.incoming / "output"
    output.write_bytes(b"hello")

    store.admit(output, HELLO)

    assert store.read(HELLO) == b"hello"
    assert not output.exists()


def test_a_file_of_the_wrong_size_is_not_admitted(store):
    output = store.incoming / "output"
    output.write_bytes(b"hello!")

    with pytest.raises(StorageError, match=r"must have the 5 bytes .*, got 6"):
        store.admit(output, HELLO)


def test_a_damaged_blob_is_deleted_and_named(store):
    store.put(b"hello")
    store.path(HELLO).write_bytes(b"hullo")

    with pytest.raises(BlobCorruptError, match=HELLO.digest):
        store.read(HELLO)
    assert not store.has(HELLO)


def test_only_the_named_blobs_are_kept(store):
    store.put(b"hello")
    store.put(b"other")

    store.keep_only([OTHER])

    assert not store.has(HELLO)
    assert store.has(OTHER)


def test_a_restart_keeps_blobs_and_deletes_half_written_files(tmp_path, store):
    store.put(b"hello")
    (store.incoming / "half.pull").write_bytes(b"hel")

    again = FileBlobStore(tmp_path / "blobs")

    assert again.has(HELLO)
    assert not list(again.incoming.iterdir())


def test_a_blob_that_is_too_large_is_refused(store):
    with pytest.raises(StorageError, match="at most 1000"):
        store.put(b"x" * 1001)


def test_a_full_disk_is_named(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(StorageError, match="the disk is full"):
        store.put(b"hello")


async def test_a_task_that_waits_for_a_blob_wakes_when_it_arrives(store):
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.wait_for, HELLO)
            nursery.start_soon(store.wait_for, HELLO)
            await trio.testing.wait_all_tasks_blocked()
            store.put(b"other")
            store.put(b"hello")


def test_a_partial_blob_is_checked_before_it_counts(store):
    partial = PartialBlob(store, HELLO)
    partial.append(b"hul")
    partial.append(b"lo")
    with pytest.raises(BlobCorruptError):
        partial.finish()
    assert not store.has(HELLO)

    partial.append(b"hel")
    partial.append(b"lo")
    partial.finish()
    partial.discard()

    assert store.read(HELLO) == b"hello"


async def test_waiting_for_a_blob_that_never_comes_leaves_nothing_behind(tmp_path):
    store = FileBlobStore(tmp_path)

    for number in range(10):
        with trio.move_on_after(0.001):
            await store.wait_for_digest(sha256_hex(bytes([number])))

    assert not store._awaited
