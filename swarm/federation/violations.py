"""Violations: counts what no honest peer sends, and quarantines its author for a while."""

from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.federation.effects import Note

VIOLATIONS_MAX = 3
"""A peer with this many violations is quarantined."""
QUARANTINED_FOR_S = 300.0
PEERS_MAX = 1024
"""Peers with violations that are remembered; the one with the oldest goes first."""


class Violations:
    """One peer's own judgement, shared with no other peer, so that none can be framed by it.

    Invariant: remembers at most `PEERS_MAX` peers.
    """

    def __init__(self) -> None:
        self._counts: dict[PeerId, int] = {}
        self._until_s: dict[PeerId, float] = {}

    def count(self, peer: PeerId, reason: str, now_s: float) -> list[Effect]:
        """Count a violation; return a note if the peer is quarantined now."""
        count = self._counts.pop(peer, 0) + 1
        self._counts[peer] = count
        if len(self._counts) > PEERS_MAX:
            del self._counts[next(iter(self._counts))]
        if count < VIOLATIONS_MAX or self.quarantined(peer, now_s):
            return []
        self._until_s = {p: s for p, s in self._until_s.items() if now_s < s}
        self._until_s[peer] = now_s + QUARANTINED_FOR_S
        self._counts[peer] = VIOLATIONS_MAX - 1  # afterwards, one more is enough
        text = f"{peer} broke rules {VIOLATIONS_MAX} times, the last time so: {reason}"
        return [Note("quarantined", text, peer)]

    def quarantined(self, peer: PeerId, now_s: float) -> bool:
        """Whether nothing is taken from this peer now."""
        return now_s < self._until_s.get(peer, now_s)

    def all_quarantined(self, now_s: float) -> frozenset[PeerId]:
        """Peers from which nothing is taken now."""
        if not self._until_s:
            return frozenset()
        return frozenset(peer for peer, until_s in self._until_s.items() if now_s < until_s)
