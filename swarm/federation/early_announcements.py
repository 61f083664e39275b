"""EarlyAnnouncements: keeps announcements for a head that this peer does not hold yet."""

from swarm.core.blobs import BlobRef
from swarm.core.ids import Digest
from swarm.federation.messages import Contribution
from swarm.federation.records import Aggregate

EARLY_MAX = 512


class EarlyAnnouncements:
    """Keeps announcements until their head is adopted; they repeat, so losing one costs little.

    Invariant: holds at most `EARLY_MAX` announcements, none of them through two adoptions.
    """

    def __init__(self) -> None:
        self._messages: dict[Contribution | Aggregate, None] = {}

    def keep(self, message: Contribution | Aggregate) -> None:
        """Remember an announcement, if there is room."""
        if len(self._messages) < EARLY_MAX:
            self._messages[message] = None

    def take(self, base: Digest) -> list[Contribution | Aggregate]:
        """Return the announcements for `base`, and forget all others."""
        messages, self._messages = self._messages, {}
        return [message for message in messages if message.base == base]

    def blobs(self) -> frozenset[BlobRef]:
        """Blobs that the announcements name."""
        return frozenset(message.blob for message in self._messages)
