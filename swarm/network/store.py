"""FileBlobStore: content-addressed files, each written beside its place and then renamed."""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import trio

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.errors import BlobCorruptError, BlobNotFoundError, StorageError
from swarm.core.ids import Digest, is_digest

BLOB_SIZE_MAX = 4 * 1024**3
"""Bytes; a model of a thousand million float32 parameters."""
FREE_BYTES_MIN = 64 * 1024**2
"""Bytes of disk that no blob of another peer may take."""


class FileBlobStore:
    """Keeps blobs at `root/<first two hex digits>/<digest>`.

    Invariants:
        A file under its final name has the length and digest it had when it was renamed there.
        Whatever lies in `incoming` belongs to this process's lifetime.
    """

    def __init__(self, root: Path, size_max: int = BLOB_SIZE_MAX) -> None:
        self._root = root
        self._size_max = size_max
        self._awaited: dict[Digest, _Arrival] = {}
        self.incoming = root / "incoming"
        """On the same file system, for whoever writes a file to `admit`."""
        try:
            self.incoming.mkdir(parents=True, exist_ok=True)
            for leftover in self.incoming.iterdir():
                leftover.unlink()
        except OSError as error:
            raise _storage_error(f"prepare the blob store {root}", error) from error

    def has(self, ref: BlobRef) -> bool:
        """Say whether a file of the right name and size is here."""
        try:
            return self._place(ref).stat().st_size == ref.size_bytes
        except OSError:
            return False

    def path(self, ref: BlobRef) -> Path:
        """Where the blob's bytes are; meant for reading only.

        Raises:
            BlobNotFoundError: The blob is not here.
        """
        if not self.has(ref):
            raise BlobNotFoundError(f"blob {ref.digest} is not in the store")
        return self._place(ref)

    def size_of(self, digest: Digest) -> int | None:
        """Size in bytes of the blob of this digest; `None` when it is not here."""
        try:
            return (self._root / digest[:2] / digest).stat().st_size
        except OSError:
            return None

    def read(self, ref: BlobRef) -> bytes:
        """Return the blob's bytes, checked against its digest; a damaged file is deleted.

        Raises:
            BlobNotFoundError: The blob is not here.
            BlobCorruptError: It was, but damaged.
        """
        path = self.path(ref)
        data = path.read_bytes()
        if sha256_hex(data) != ref.digest:
            path.unlink(missing_ok=True)
            raise BlobCorruptError(f"blob {ref.digest} was damaged on disk and is deleted: {path}")
        return data

    def put(self, data: bytes) -> BlobRef:
        """Store bytes.

        Raises:
            StorageError: The disk refused, or the blob is too large.
        """
        ref = BlobRef(sha256_hex(data), len(data))
        if self.has(ref):
            return ref
        self._check_size(ref)
        temporary = self.incoming / f"{ref.digest}.put"
        try:
            temporary.write_bytes(data)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise _storage_error(f"store blob {ref.digest}", error) from error
        self.admit(temporary, ref)
        return ref

    def admit(self, path: Path, ref: BlobRef) -> None:
        """Move the file at `path`, whose digest its writer computed, into the store.

        Raises:
            StorageError: The disk refused, or the file does not have the size `ref` says.
        """
        self._check_size(ref)
        place = self._place(ref)
        try:
            if path.stat().st_size != ref.size_bytes:
                raise StorageError(
                    f"{path} has {path.stat().st_size} bytes, blob {ref.digest} {ref.size_bytes}"
                )
            place.parent.mkdir(exist_ok=True)
            path.replace(place)
        except OSError as error:
            raise _storage_error(f"store blob {ref.digest}", error) from error
        awaited = self._awaited.pop(ref.digest, None)
        if awaited is not None:
            awaited.event.set()

    async def wait_for(self, ref: BlobRef) -> None:
        """Return when the blob is here."""
        while not self.has(ref):
            await self.wait_for_digest(ref.digest)

    async def wait_for_digest(self, digest: Digest) -> None:
        """Return when a blob of this digest is here."""
        while self.size_of(digest) is None:
            arrival = self._awaited.setdefault(digest, _Arrival())
            arrival.num_waiting += 1
            try:
                await arrival.event.wait()
            finally:
                arrival.num_waiting -= 1
                if not arrival.num_waiting and self._awaited.get(digest) is arrival:
                    del self._awaited[digest]  # strangers wait for blobs that never come

    def has_room(self, ref: BlobRef) -> bool:
        """Say whether the blob may and can be stored here, with something left for the rest."""
        try:
            free_bytes = shutil.disk_usage(self._root).free
        except OSError:
            return False
        return ref.size_bytes <= min(self._size_max, free_bytes - FREE_BYTES_MIN)

    @property
    def is_full(self) -> bool:
        """Whether less is free than must stay free: then no blob of others can be stored."""
        try:
            return shutil.disk_usage(self._root).free < FREE_BYTES_MIN
        except OSError:
            return True

    def keep_only(self, refs: Collection[BlobRef]) -> None:
        """Delete every blob not named in `refs`."""
        kept = {ref.digest for ref in refs}
        for folder in self._root.iterdir():
            if len(folder.name) != 2:
                continue
            for file in folder.iterdir():
                if is_digest(file.name) and file.name not in kept:
                    file.unlink(missing_ok=True)

    def _place(self, ref: BlobRef) -> Path:
        return self._root / ref.digest[:2] / ref.digest

    def _check_size(self, ref: BlobRef) -> None:
        if ref.size_bytes > self._size_max:
            raise StorageError(
                f"blob {ref.digest} has {ref.size_bytes} bytes, at most {self._size_max} allowed"
            )


class _Arrival:
    """An awaited blob, and how many wait for it."""

    def __init__(self) -> None:
        self.event = trio.Event()
        self.num_waiting = 0


class PartialBlob:
    """A blob on its way in: a temporary file and the digest of what it holds so far."""

    def __init__(self, store: FileBlobStore, ref: BlobRef) -> None:
        self._store = store
        self._ref = ref
        self._path = store.incoming / f"{ref.digest}.pull"
        self._file: BinaryIO = self._open()
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        """How much of it is here."""

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are here; whether they are the right ones `finish` says."""
        return self.size_bytes == self._ref.size_bytes

    def append(self, piece: bytes) -> None:
        """Add the next bytes.

        Raises:
            StorageError: The disk refused.
        """
        try:
            self._file.write(piece)
        except OSError as error:
            raise _storage_error(f"store blob {self._ref.digest}", error) from error
        self._hash.update(piece)
        self.size_bytes += len(piece)

    def finish(self) -> None:
        """Move it into the store.

        Raises:
            BlobCorruptError: The digest is wrong; the bytes are thrown away.
            StorageError: The disk refused.
        """
        if self._hash.hexdigest() != self._ref.digest:
            self.restart()
            raise BlobCorruptError(f"blob {self._ref.digest} arrived with another digest")
        try:
            self._file.close()
        except OSError as error:
            raise _storage_error(f"store blob {self._ref.digest}", error) from error
        self._store.admit(self._path, self._ref)

    def restart(self) -> None:
        """Forget what is here so far."""
        self._file.close()
        self._file = self._open()
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def discard(self) -> None:
        """Delete the temporary file; harmless after `finish`."""
        with contextlib.suppress(OSError):  # a full disk again: the file goes away all the same
            self._file.close()
        self._path.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        try:
            return open(self._path, "wb")  # closed by finish, restart or discard
        except OSError as error:
            raise _storage_error(f"store blob {self._ref.digest}", error) from error


def _storage_error(action: str, error: OSError) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"cannot {action}: the disk is full")
    return StorageError(f"cannot {action}: {os.strerror(error.errno or 0)}")
