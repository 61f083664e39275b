"""RowFetches: rows of large questions on their way from askers, and how many of each."""

from swarm.core.blobs import BlobRef
from swarm.core.ids import PeerId

FETCHES_PER_ASKER = 4
"""Rows on their way from one asker; it has two questions under way, and its member one."""


class RowFetches:
    """Counts fetches until the rows arrive or the fetch fails, also those of late questions.

    Invariant: at most `FETCHES_PER_ASKER` fetches from one asker are under way.
    """

    def __init__(self) -> None:
        self._blobs: dict[PeerId, set[BlobRef]] = {}

    def is_full(self, asker: PeerId) -> bool:
        """Whether an asker has to wait with more rows."""
        return len(self._blobs.get(asker, ())) >= FETCHES_PER_ASKER

    def begin(self, asker: PeerId, blob: BlobRef) -> None:
        """Note a fetch."""
        self._blobs.setdefault(asker, set()).add(blob)

    def end(self, blob: BlobRef) -> None:
        """Note that rows arrived, or cannot be fetched."""
        for asker, blobs in tuple(self._blobs.items()):
            blobs.discard(blob)
            if not blobs:
                del self._blobs[asker]
