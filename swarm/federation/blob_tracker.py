"""BlobTracker: which blobs are here, which were asked for, and which no peer could give."""

from swarm.core.blobs import BlobRef
from swarm.core.effects import FetchBlob
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect

RETRY_AFTER_S = 2.0
"""A blob that no peer gave counts as absent for this many seconds; then it is asked for again."""


class BlobTracker:
    """Asks for each blob once at a time.

    Invariant: a blob is never asked for while it is here or already on its way.
    """

    def __init__(self) -> None:
        self._here: set[Digest] = set()
        self._asked: set[Digest] = set()
        self._asked_s: dict[Digest, float] = {}
        self._took_s: dict[Digest, float] = {}
        self._absent_until_s: dict[Digest, float] = {}

    def has(self, blob: BlobRef) -> bool:
        """Whether the blob is in our store."""
        return blob.digest in self._here

    def absent(self, blob: BlobRef, now_s: float) -> bool:
        """Whether all peers asked failed to give the blob, less than `RETRY_AFTER_S` ago."""
        return now_s < self._absent_until_s.get(blob.digest, now_s)

    def has_failed(self, blob: BlobRef) -> bool:
        """Whether all peers that were asked failed to give the blob, and it has not come since."""
        return blob.digest in self._absent_until_s

    def is_coming(self, blob: BlobRef) -> bool:
        """Whether the blob was asked for and no answer came yet."""
        return blob.digest in self._asked

    def want(
        self, blob: BlobRef, holders: tuple[PeerId, ...], wait_s: float, now_s: float
    ) -> list[Effect]:
        """Ask for a blob unless it is here, on its way or absent."""
        known = blob.digest in self._here or blob.digest in self._asked
        if known or not holders or self.absent(blob, now_s):
            return []
        self._asked.add(blob.digest)
        self._asked_s.setdefault(blob.digest, now_s)
        return [FetchBlob(blob, holders, wait_s)]

    def took_s(self, blob: BlobRef) -> float:
        """Seconds from the first request for a blob to its arrival; 0 without a request."""
        return self._took_s.get(blob.digest, 0.0)

    def arrived(self, blob: BlobRef, now_s: float) -> None:
        """Note that the blob is in our store."""
        asked_s = self._asked_s.pop(blob.digest, None)
        if asked_s is not None:
            self._took_s[blob.digest] = max(0.0, now_s - asked_s)
        self._asked.discard(blob.digest)
        self._absent_until_s.pop(blob.digest, None)
        self._here.add(blob.digest)

    def missing(self, blob: BlobRef, now_s: float) -> None:
        """Note that none of the holders gave the blob."""
        self._asked.discard(blob.digest)
        self._absent_until_s[blob.digest] = now_s + RETRY_AFTER_S

    def keep_only(self, blobs: frozenset[BlobRef]) -> None:
        """Forget all other blobs: the store deletes them."""
        kept = {blob.digest for blob in blobs}
        self._here &= kept
        self._absent_until_s = {d: s for d, s in self._absent_until_s.items() if d in kept}
        # A blob on its way still arrives, and its time counts, most of all over a slow link.
        timed = kept | self._asked
        self._asked_s = {d: s for d, s in self._asked_s.items() if d in timed}
        self._took_s = {d: s for d, s in self._took_s.items() if d in kept}
