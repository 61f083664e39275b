"""Blob transfer: fetches blobs by their digest over `/swarm/blob/1.0.0`, and serves them.

Request: digest (32 bytes), offset (8), milliseconds to wait for the blob to arrive (4), all big
endian. Answer: size of the whole blob (8 bytes; 0 means that it is not here), then its bytes from
the offset on.

Messages announce weights by digest, and a peer pulls the bytes from any holder. A pull is verified
at the end, so the holders need not be trusted. A transfer that breaks resumes at the next holder,
from the offset it reached. If the resumed whole has a wrong digest, an earlier holder may have
lied, so the last holder is asked again from the start. A holder that is still waiting for the blob
itself may hold the request for up to 10 s; this way weights flow down the aggregation tree without
polling. Calls for one blob share one transfer. A holder must make steady progress (64 KiB in 5 s),
or the next one is asked.
"""

import logging
import struct
from collections import Counter
from collections.abc import Callable, Sequence

import trio
from libp2p.abc import IHost, INetStream
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID

from swarm.core.blobs import BlobRef
from swarm.core.errors import (
    BlobCorruptError,
    BlobNotFoundError,
    NetworkError,
    PeerUnreachableError,
    StorageError,
)
from swarm.core.ids import Digest, PeerId
from swarm.network.dialer import Dialer
from swarm.network.limits import PROGRESS_BYTES_MIN, PROGRESS_WITHIN_S
from swarm.network.statistics import Statistics
from swarm.network.store import FileBlobStore, PartialBlob
from swarm.network.streams import (
    PIECE_BYTES_MAX,
    open_stream,
    peer_of,
    read_exactly,
    read_some,
)

log = logging.getLogger(__name__)

BLOB_PROTOCOL = TProtocol("/swarm/blob/1.0.0")
WAIT_MAX_S = 10.0
_REQUEST = struct.Struct("!32sQI")
_SIZE = struct.Struct("!Q")
_PULLS_MAX = 3
_SERVES_MAX = 16
_WAITERS_MAX = 256
_WAITERS_PER_PEER_MAX = 8
_ROUNDS_MAX = 3
"""Number of passes through the list of holders, as long as each pass brings more bytes."""


class _Transfer:
    """One blob that is being fetched, shared by all callers that asked for it."""

    def __init__(self, ref: BlobRef, holders: Sequence[PeerId], wait_s: float) -> None:
        self.ref = ref
        self.holders = list(dict.fromkeys(holders))
        self.wait_s = wait_s
        self.done = trio.Event()
        self.error: NetworkError | StorageError | None = None


class BlobExchange:
    """Both sides of the blob protocol."""

    def __init__(
        self, host: IHost, dialer: Dialer, store: FileBlobStore, statistics: Statistics
    ) -> None:
        self._host = host
        self._dialer = dialer
        self._store = store
        self._statistics = statistics
        self._pulls = trio.CapacityLimiter(_PULLS_MAX)
        self._serves = trio.CapacityLimiter(_SERVES_MAX)
        self._waiters: Counter[PeerId] = Counter()
        self._transfers: dict[Digest, _Transfer] = {}

    # Pulling

    async def fetch(
        self,
        ref: BlobRef,
        holders: Sequence[PeerId],
        wait_s: float,
        start_soon: Callable[..., None],
    ) -> None:
        """Fetch the blob into the store; concurrent calls for one blob share the transfer.

        Raises:
            BlobNotFoundError: No holder delivered it.
            StorageError: The disk is full or failed.
        """
        if self._store.has(ref):
            return
        if not self._store.has_room(ref):
            self._statistics.refuse("blob-size")
            raise BlobNotFoundError(f"blob {ref.digest}: no room for {ref.size_bytes} bytes")
        transfer = self._transfers.get(ref.digest)
        if transfer is None:
            transfer = self._transfers[ref.digest] = _Transfer(ref, holders, wait_s)
            start_soon(self._run, transfer)
        else:
            new = [peer for peer in holders if peer not in transfer.holders]
            transfer.holders.extend(new)
        await transfer.done.wait()
        if transfer.error is not None:
            raise transfer.error

    async def _run(self, transfer: _Transfer) -> None:
        try:
            await self._pull_from_any(transfer)
        except (NetworkError, StorageError) as error:
            transfer.error = error
        finally:
            del self._transfers[transfer.ref.digest]
            transfer.done.set()

    async def _pull_from_any(self, transfer: _Transfer) -> None:
        partial = PartialBlob(self._store, transfer.ref)
        reasons: dict[PeerId, str] = {}
        try:
            for _ in range(_ROUNDS_MAX):
                before = partial.size_bytes
                if await self._pull_round(transfer, partial, reasons):
                    return
                if partial.size_bytes <= before:
                    break
        finally:
            partial.discard()
        tried = "; ".join(f"{peer[-8:]}: {reason}" for peer, reason in reasons.items())
        raise BlobNotFoundError(f"blob {transfer.ref.digest}: {tried or 'no holders known'}")

    async def _pull_round(
        self, transfer: _Transfer, partial: PartialBlob, reasons: dict[PeerId, str]
    ) -> bool:
        index = 0
        while index < len(transfer.holders):  # other callers may add holders meanwhile
            holder = transfer.holders[index]
            resumed = partial.size_bytes > 0
            try:
                await self._pull(transfer, holder, partial)
                partial.finish()
            except BlobCorruptError as error:
                reasons[holder] = str(error)
                self._statistics.refuse("blob-corrupt")
                partial.restart()
                if resumed:  # an earlier holder may have lied: ask this one again, from the start
                    continue
                transfer.holders.remove(holder)
            except NetworkError as error:
                reasons[holder] = str(error)
                index += 1
            else:
                return True
        return False

    async def _pull(self, transfer: _Transfer, holder: PeerId, partial: PartialBlob) -> None:
        ref = transfer.ref
        wait_s = min(max(transfer.wait_s, 0.0), WAIT_MAX_S)
        try:
            await self._dialer.connect(holder)
            remote = ID.from_base58(holder)
            async with open_stream(self._host, remote, [BLOB_PROTOCOL]) as stream:
                await stream.write(
                    _REQUEST.pack(
                        bytes.fromhex(ref.digest), partial.size_bytes, int(wait_s * 1000)
                    )
                )
                with trio.fail_after(wait_s + PROGRESS_WITHIN_S):
                    (size,) = _SIZE.unpack(await read_exactly(stream, _SIZE.size))
                if size == 0:
                    raise BlobNotFoundError("it does not have the blob")
                if size != ref.size_bytes:
                    raise BlobCorruptError(f"the size must be {ref.size_bytes} bytes, got {size}")
                async with self._pulls:
                    await self._read_rest(stream, partial, ref)
        except (NetworkError, StorageError):
            raise
        except trio.TooSlowError:
            self._statistics.refuse("blob-slow")
            raise PeerUnreachableError("no progress") from None
        except Exception as error:  # the stream's layers raise many errors when the remote dies
            raise PeerUnreachableError(f"the transfer broke: {error!r}") from error

    async def _read_rest(self, stream: INetStream, partial: PartialBlob, ref: BlobRef) -> None:
        while not partial.is_complete:
            due = min(ref.size_bytes, partial.size_bytes + PROGRESS_BYTES_MIN)
            with trio.fail_after(PROGRESS_WITHIN_S):
                while partial.size_bytes < due:
                    piece = await read_some(stream, ref.size_bytes - partial.size_bytes)
                    partial.append(piece)
                    self._statistics.blob_bytes_received += len(piece)

    # Serving

    async def serve(self, stream: INetStream) -> None:
        """Handle a stream that another peer opened: answer its request."""
        with trio.fail_after(PROGRESS_WITHIN_S):
            request = await read_exactly(stream, _REQUEST.size)
        raw_digest, offset, wait_ms = _REQUEST.unpack(request)
        digest = Digest(raw_digest.hex())
        await self._wait_for(digest, min(wait_ms / 1000, WAIT_MAX_S), peer_of(stream))
        size = self._store.size_of(digest)
        if size is None or offset > size:
            await stream.write(_SIZE.pack(0))
        else:
            async with self._serves:
                await self._write_rest(stream, BlobRef(digest, size), offset)
        await stream.close()

    async def _wait_for(self, digest: Digest, wait_s: float, asker: PeerId) -> None:
        if wait_s <= 0:
            return
        if self._waiters.total() >= _WAITERS_MAX or self._waiters[asker] >= _WAITERS_PER_PEER_MAX:
            self._statistics.refuse("blob-waiters")
            return
        self._waiters[asker] += 1
        try:
            with trio.move_on_after(wait_s):
                await self._store.wait_for_digest(digest)
        finally:
            self._waiters[asker] -= 1
            if not self._waiters[asker]:
                del self._waiters[asker]

    async def _write_rest(self, stream: INetStream, ref: BlobRef, offset: int) -> None:
        async with await trio.open_file(self._store.path(ref), "rb") as file:
            await file.seek(offset)
            head = _SIZE.pack(ref.size_bytes)
            while piece := await file.read(PIECE_BYTES_MAX):
                with trio.fail_after(4 * PROGRESS_WITHIN_S):
                    await stream.write(head + piece)
                self._statistics.blob_bytes_sent += len(piece)
                head = b""
            if head:  # the asker has all bytes and only needs the size
                await stream.write(head)
