"""FileBlobStore: blobs as files, named by their digest.

A blob never changes, so its digest is its name, and equal bytes are stored once. A file is written
in the folder `incoming` and renamed to its place when it is complete; a rename is atomic, so a
crashed process never leaves half a blob under a final name. A restart empties `incoming`.
Three ways lead into the store: `put` writes bytes from memory, `admit` takes a file that our own
worker wrote and hashed, and `PartialBlob` collects the bytes of a pull and checks them at the end.
The digest of a stored file is not checked again, except by `read`; a damaged file is then deleted.
Other peers' blobs are refused if they would leave less than 64 MiB of the disk free. A task can
wait for a digest; this is how weights flow through a peer that does not have them yet.
"""

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
"""Bytes; the size of a model with a thousand million float32 parameters."""
FREE_BYTES_MIN = 64 * 1024**2
"""Bytes of the disk that must stay free; blobs of other peers may not take them."""


class FileBlobStore:
    """Keeps blobs at `root/<first two hex digits>/<digest>`.

    Invariants:
        A file under its final name had the right size and digest when it was renamed to it.
        All files in `incoming` were written during the life of this process.
    """

    def __init__(self, root: Path, size_max: int = BLOB_SIZE_MAX) -> None:
        self._root = root
        self._size_max = size_max
        self._awaited: dict[Digest, _Arrival] = {}
        self.incoming = root / "incoming"
        """Folder on the same file system, for files that are to be passed to `admit`."""
        try:
            self.incoming.mkdir(parents=True, exist_ok=True)
            for leftover in self.incoming.iterdir():
                leftover.unlink()
        except OSError as error:
            raise _storage_error(f"prepare the blob store {root}", error) from error

    def has(self, ref: BlobRef) -> bool:
        """Return whether a file with the right name and size is here."""
        try:
            return self._place(ref).stat().st_size == ref.size_bytes
        except OSError:
            return False

    def path(self, ref: BlobRef) -> Path:
        """Return the file that holds the blob's bytes; callers only read it.

        Raises:
            BlobNotFoundError: The blob is not here.
        """
        if not self.has(ref):
            raise BlobNotFoundError(f"blob {ref.digest} is not in the store")
        return self._place(ref)

    def size_of(self, digest: Digest) -> int | None:
        """Return the size in bytes of the blob with this digest; None if it is not here."""
        try:
            return (self._root / digest[:2] / digest).stat().st_size
        except OSError:
            return None

    def read(self, ref: BlobRef) -> bytes:
        """Return the blob's bytes, checked against its digest; delete the file if it is damaged.

        Raises:
            BlobNotFoundError: The blob is not here.
            BlobCorruptError: The file was damaged.
        """
        path = self.path(ref)
        data = path.read_bytes()
        if sha256_hex(data) != ref.digest:
            path.unlink(missing_ok=True)
            raise BlobCorruptError(f"blob {ref.digest} was damaged on disk, file deleted: {path}")
        return data

    def put(self, data: bytes) -> BlobRef:
        """Store bytes.

        Raises:
            StorageError: The disk is full or failed, or the blob is too large.
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
        """Move the file at `path` into the store; its writer computed the digest.

        Raises:
            StorageError: The disk is full or failed, or the size differs from that of `ref`.
        """
        self._check_size(ref)
        place = self._place(ref)
        try:
            if path.stat().st_size != ref.size_bytes:
                raise StorageError(
                    f"{path} must have the {ref.size_bytes} bytes of blob {ref.digest}, "
                    f"got {path.stat().st_size}"
                )
            place.parent.mkdir(exist_ok=True)
            path.replace(place)
        except OSError as error:
            raise _storage_error(f"store blob {ref.digest}", error) from error
        awaited = self._awaited.pop(ref.digest, None)
        if awaited is not None:
            awaited.event.set()

    async def wait_for(self, ref: BlobRef) -> None:
        """Wait until the blob is here."""
        while not self.has(ref):
            await self.wait_for_digest(ref.digest)

    async def wait_for_digest(self, digest: Digest) -> None:
        """Wait until a blob with this digest is here."""
        while self.size_of(digest) is None:
            arrival = self._awaited.setdefault(digest, _Arrival())
            arrival.num_waiting += 1
            try:
                await arrival.event.wait()
            finally:
                arrival.num_waiting -= 1
                if not arrival.num_waiting and self._awaited.get(digest) is arrival:
                    del self._awaited[digest]  # other peers may ask for blobs that never come

    def has_room(self, ref: BlobRef) -> bool:
        """Return whether the blob is small enough, and leaves enough of the disk free."""
        try:
            free_bytes = shutil.disk_usage(self._root).free
        except OSError:
            return False
        return ref.size_bytes <= min(self._size_max, free_bytes - FREE_BYTES_MIN)

    @property
    def is_full(self) -> bool:
        """Whether the disk has too little free space to store any blob of another peer."""
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
                f"blob {ref.digest} must have at most {self._size_max} bytes, got {ref.size_bytes}"
            )


class _Arrival:
    """An awaited blob, and the number of tasks that wait for it."""

    def __init__(self) -> None:
        self.event = trio.Event()
        self.num_waiting = 0


class PartialBlob:
    """A blob that is being received: a temporary file, and the digest of its bytes so far."""

    def __init__(self, store: FileBlobStore, ref: BlobRef) -> None:
        self._store = store
        self._ref = ref
        self._path = store.incoming / f"{ref.digest}.pull"
        self._file: BinaryIO = self._open()
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        """Number of bytes that have arrived."""

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are here; `finish` checks whether they are the right ones."""
        return self.size_bytes == self._ref.size_bytes

    def append(self, piece: bytes) -> None:
        """Add the next bytes.

        Raises:
            StorageError: The disk is full or failed.
        """
        try:
            self._file.write(piece)
        except OSError as error:
            raise _storage_error(f"store blob {self._ref.digest}", error) from error
        self._hash.update(piece)
        self.size_bytes += len(piece)

    def finish(self) -> None:
        """Check the digest and move the file into the store.

        Raises:
            BlobCorruptError: The digest is wrong; the bytes are discarded.
            StorageError: The disk is full or failed.
        """
        if self._hash.hexdigest() != self._ref.digest:
            self.restart()
            raise BlobCorruptError(f"the bytes of blob {self._ref.digest} have another digest")
        try:
            self._file.close()
        except OSError as error:
            raise _storage_error(f"store blob {self._ref.digest}", error) from error
        self._store.admit(self._path, self._ref)

    def restart(self) -> None:
        """Discard the bytes so far, and start again."""
        self._file.close()
        self._file = self._open()
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def discard(self) -> None:
        """Delete the temporary file; harmless after `finish`."""
        with contextlib.suppress(OSError):  # a full disk fails again; the file goes anyway
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
