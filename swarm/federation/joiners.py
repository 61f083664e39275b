"""Joiners: the peers that ask to join the cohort."""

from collections.abc import Iterable

from swarm.core.ids import PeerId
from swarm.core.session import COHORT_MAX
from swarm.federation.join_estimate import estimate, sample

JOIN_REQUEST_EXPIRES_AFTER_S = 10.0
SETTLED_AFTER_S = 0.3
"""Without a new peer for this many seconds, all that start together have been heard ..."""
SETTLED_AT_THE_LATEST_S = 5.0
"""... or this many seconds after the first, because there may always be another one."""


class Joiners:
    """Remembers requests for a while; they repeat, so forgetting one loses nothing.

    Invariant: holds at most `COHORT_MAX` requests; of more it keeps a fair sample.
    """

    def __init__(self) -> None:
        self._until_s: dict[PeerId, float] = {}
        self._first_s: float | None = None
        self._newest_s = 0.0

    def note(self, peers: Iterable[PeerId], now_s: float) -> None:
        """Note that these peers ask to join."""
        for peer in peers:
            if peer not in self._until_s:
                self._newest_s = now_s
                self._first_s = now_s if self._first_s is None else self._first_s
            self._until_s[peer] = now_s + JOIN_REQUEST_EXPIRES_AFTER_S
        if len(self._until_s) > COHORT_MAX:
            kept = sample(self._until_s)
            self._until_s = {peer: self._until_s[peer] for peer in kept}

    def current(self, now_s: float) -> tuple[PeerId, ...]:
        """Peers whose request has not expired, in order of their ids."""
        self._until_s = {p: until_s for p, until_s in self._until_s.items() if now_s < until_s}
        return tuple(sorted(self._until_s))

    def estimated_number(self, now_s: float) -> float:
        """Estimate of the number of peers that ask to join, remembered or not."""
        return estimate(self.current(now_s))

    def settled(self, now_s: float) -> bool:
        """Whether all peers that start together have been heard."""
        if self._first_s is None:
            return True
        quiet_s = self._newest_s + SETTLED_AFTER_S
        return now_s >= min(quiet_s, self._first_s + SETTLED_AT_THE_LATEST_S)

    def forget(self, peers: Iterable[PeerId]) -> None:
        """Drop the requests of peers that are in the cohort now, or gone."""
        for peer in peers:
            self._until_s.pop(peer, None)
