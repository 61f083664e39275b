"""Newcomers: who wishes to join the cohort."""

from collections.abc import Iterable

from swarm.core.ids import PeerId
from swarm.core.session import COHORT_MAX

WISH_EXPIRES_AFTER_S = 10.0


class Newcomers:
    """Remembers wishes for a while; a wish repeats, so forgetting one loses nothing.

    Invariant: holds at most `COHORT_MAX` wishes.
    """

    def __init__(self) -> None:
        self._until_s: dict[PeerId, float] = {}

    def wish(self, peers: Iterable[PeerId], now_s: float) -> None:
        """Note that these peers wish to join."""
        for peer in peers:
            if peer in self._until_s or len(self._until_s) < COHORT_MAX:
                self._until_s[peer] = now_s + WISH_EXPIRES_AFTER_S

    def current(self, now_s: float) -> tuple[PeerId, ...]:
        """Peers whose wish has not expired, in order of their ids."""
        self._until_s = {p: until_s for p, until_s in self._until_s.items() if now_s < until_s}
        return tuple(sorted(self._until_s))

    def forget(self, peers: Iterable[PeerId]) -> None:
        """Drop the wishes of peers that are in now, or gone."""
        for peer in peers:
            self._until_s.pop(peer, None)
