"""Efforts: how far the peers of a round are, as their heartbeats say, and whether they get on.

Progress is a list of numbers. The first says how far the sender's own training is. The number at
place k says how far its duty at tier k is: the sum of what it heard from the members, and of its
own pulling and combining. So news of work far below reach the root, tier by tier. The numbers have
no unit. All that counts is whether they grow.
"""

from collections.abc import Iterable

from swarm.core.ids import PeerId

Progress = tuple[float, ...]
WORKS_FOR_S = 30.0
"""A peer works if its progress grew within this many seconds: compiling a model for the first
batch can take as long, on a machine that is busy."""
PLACES_MAX = 16
"""Most numbers in one progress; no tree has as many tiers."""
PROGRESS_MAX = 1e6
TRAINED = 2.0
"""Progress of a peer that has contributed to the round: the most that a peer can train."""


class Efforts:
    """What the peers of one round have reported, by peer and place.

    Invariant: a number only grows; a smaller one changes nothing.
    """

    def __init__(self) -> None:
        self._done: dict[tuple[PeerId, int], float] = {}
        self._grew_s: dict[tuple[PeerId, int], float] = {}

    def hear(self, peer: PeerId, progress: Progress, now_s: float) -> None:
        """Note what a peer reports of its work for this round."""
        for place, said in enumerate(progress):
            # A peer that says more must not hide that others get on.
            done = min(said, TRAINED) if place == 0 else said
            if done > self._done.get((peer, place), 0.0):
                self._done[peer, place] = done
                self._grew_s[peer, place] = now_s

    def postpone(self, length_s: float, now_s: float) -> None:
        """Move all times by the length of a pause of this peer, which ends now."""
        self._grew_s = {key: min(now_s, s + length_s) for key, s in self._grew_s.items()}

    def done(self, peers: Iterable[PeerId], place: int) -> float:
        """How far these peers are, together."""
        return sum(self._done.get((peer, place), 0.0) for peer in peers)

    def grew_s(self, peer: PeerId, place: int) -> float:
        """When this number of a peer grew last; minus infinity if it never did."""
        return self._grew_s.get((peer, place), float("-inf"))

    def works(self, peers: Iterable[PeerId], place: int, now_s: float) -> bool:
        """Whether one of these peers got on lately."""
        return any(now_s - self.grew_s(peer, place) < WORKS_FOR_S for peer in peers)
