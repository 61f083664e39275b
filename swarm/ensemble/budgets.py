"""Budgets: how many rows each asker may still ask for: token buckets."""

from swarm.core.ids import PeerId

ASKERS_MAX = 1024
"""Askers whose budgets are remembered; the fullest bucket is forgotten first."""


class Budgets:
    """One bucket for each asker; it fills evenly, and is full at first.

    Invariant: within any `period_s`, an asker gets at most twice `rows`.
    """

    def __init__(self, rows: int, period_s: float) -> None:
        """Make the buckets.

        Args:
            rows: Rows that a full bucket holds; 0 for no limit.
            period_s: Seconds in which an empty bucket fills.
        """
        self._rows = rows
        self._period_s = period_s
        self._buckets: dict[PeerId, tuple[float, float]] = {}
        """Rows left, and when that was so."""

    def spend(self, asker: PeerId, num_rows: int, now_s: float) -> bool:
        """Take rows from an asker's bucket; False, and nothing taken, if it holds too few."""
        if not self._rows:
            return True
        left = self._left(asker, now_s)
        if num_rows > left:
            return False
        if asker not in self._buckets and len(self._buckets) >= ASKERS_MAX:
            del self._buckets[max(self._buckets, key=lambda peer: self._left(peer, now_s))]
        self._buckets[asker] = (left - num_rows, now_s)
        return True

    def _left(self, asker: PeerId, now_s: float) -> float:
        left, then_s = self._buckets.get(asker, (float(self._rows), now_s))
        return min(self._rows, left + (now_s - then_s) * self._rows / self._period_s)
