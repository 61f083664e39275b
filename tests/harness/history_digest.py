"""One word for a whole simulated history."""

import hashlib

from swarm.simulation.history import HistoryEntry


class HistoryDigest:
    """One word for a whole history: equal runs, equal words. Set `record` of a simulator to it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.num_events = 0

    def __call__(self, entry: HistoryEntry) -> None:
        """Take one more entry in."""
        self.num_events += 1
        self._hash.update(f"{entry.now_s:.9f} {entry.peer} {entry.event!r}\n".encode())

    @property
    def word(self) -> str:
        """The digest so far."""
        return self._hash.hexdigest()
