"""Latencies: how long members usually take to answer, and how long to wait for one more."""

from collections import deque
from collections.abc import Iterable

from swarm.core.ids import PeerId

KEPT = 50
"""Newest latencies of a member that are kept."""
PATIENCE_MIN_S = 0.05
PATIENCE_FACTOR = 3.0
"""A member is late after this multiple of its usual latency, once the quorum has answered."""
UNKNOWN_S = 0.15
"""Shortest usual latency of a member of which nothing is known."""
MISSES_MAX = 2
"""After this many questions in a row without an answer, a member is not waited for."""


class Latencies:
    """Latencies of members, in seconds, as this asker measured them."""

    def __init__(self) -> None:
        self._latest: dict[PeerId, deque[float]] = {}
        self._missed: dict[PeerId, int] = {}

    def note(self, peer: PeerId, latency_s: float) -> None:
        """Note how long a member took to answer, in time or too late."""
        self._latest.setdefault(peer, deque(maxlen=KEPT)).append(latency_s)
        self._missed.pop(peer, None)

    def note_missed(self, peer: PeerId) -> None:
        """Note that a question ended without a member's answer."""
        self._missed[peer] = self._missed.get(peer, 0) + 1

    def keep(self, peers: Iterable[PeerId]) -> None:
        """Forget all other members."""
        wanted = set(peers)
        for known in (self._latest, self._missed):
            for peer in [peer for peer in known if peer not in wanted]:
                del known[peer]

    def usual_s(self, peer: PeerId) -> float:
        """A latency that nine of ten of a member's newest answers keep to.

        A member that never answered is taken for the slowest of the others, or slower.
        """
        latest = self._latest.get(peer)
        if latest:
            return _ninth_of_ten(latest)
        slowest_s = max((_ninth_of_ten(known) for known in self._latest.values()), default=0.0)
        return max(UNKNOWN_S, slowest_s)

    def patience_s(self, peer: PeerId) -> float:
        """Seconds after a question by which a member's answer is waited for beyond the quorum."""
        if self._missed.get(peer, 0) >= MISSES_MAX:
            return 0.0
        return PATIENCE_MIN_S + PATIENCE_FACTOR * self.usual_s(peer)


def _ninth_of_ten(latencies: Iterable[float]) -> float:
    ranked = sorted(latencies)
    return ranked[(len(ranked) - 1) * 9 // 10]
