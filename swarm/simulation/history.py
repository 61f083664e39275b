"""History: every event as it was delivered, to be printed or compared."""

import hashlib
from typing import NamedTuple

from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event


class HistoryEntry(NamedTuple):
    """One event as it was delivered, and the effects that followed."""

    now_s: float
    peer: PeerId
    event: Event
    effects: list[Effect]


class HistoryDigest:
    """Digest of a whole history: equal runs have equal digests. Use it as a world's `record`."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.num_events = 0

    def __call__(self, entry: HistoryEntry) -> None:
        """Add one entry."""
        self.num_events += 1
        self._hash.update(f"{entry.now_s:.9f} {entry.peer} {entry.event!r}\n".encode())

    @property
    def word(self) -> str:
        """The digest so far."""
        return self._hash.hexdigest()
