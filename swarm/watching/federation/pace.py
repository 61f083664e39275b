"""How fast a run goes: the time that is left, and training accuracy between two measurements."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from swarm.federation.messages import Status

RECENT_ROUNDS = 5
"""Durations of this many rounds count; earlier ones may have had other peers."""
PROGRESS_MIN = 0.03
"""Share of the first round from which on its pace says how long it takes."""
COMBINING_SHARE = 0.05
"""Share of a round that follows training: weights are sent and combined."""
POINTS_MAX = 120


def seconds_left(
    num_left: int, durations_s: Sequence[float], in_round_s: float, progress: float
) -> float | None:
    """Estimate the time for the rounds that are left, the one under way included.

    Args:
        num_left: Rounds that are not done.
        durations_s: Durations of the rounds that are done, the newest last.
        in_round_s: Seconds since the round under way began.
        progress: Share of its training that is done, 0 to 1.

    Returns:
        Seconds; None while nothing is known about the pace.

    Example:
        >>> seconds_left(3, [20.0, 10.0, 10.0], in_round_s=4.0, progress=0.4)
        26.0
        >>> seconds_left(3, [], in_round_s=5.0, progress=0.5) is None
        False
        >>> seconds_left(3, [], in_round_s=0.1, progress=0.0) is None
        True
    """
    if num_left <= 0:
        return 0.0
    if durations_s:
        round_s = statistics.median(durations_s[-RECENT_ROUNDS:])
    elif progress >= PROGRESS_MIN:
        round_s = in_round_s / (progress * (1 - COMBINING_SHARE))
    else:
        return None
    return max(0.0, round_s - in_round_s) + (num_left - 1) * round_s


@dataclass(frozen=True, slots=True)
class TrainingPoint:
    """Mean accuracy on training batches, at one place of the run."""

    at: float
    """Rounds done, as a fraction: 2.5 is the middle of round 3."""
    accuracy: float


class TrainingCurve:
    """Training accuracy along the run, for the time in which nothing else is measured yet.

    Invariant: at most `POINTS_MAX` points, their places grow. `points` is replaced, never changed.
    """

    def __init__(self) -> None:
        self.points: tuple[TrainingPoint, ...] = ()
        self._step = 0.05

    def take(self, statuses: Iterable[Status], number: int) -> None:
        """Add a point if the peers that train for this round are far enough from the last one."""
        at_work = [s for s in statuses if s.phase == "training" and s.round == number]
        known = [
            (s.round - 1 + s.progress, s.train_accuracy)
            for s in at_work
            if s.train_accuracy is not None and s.progress > 0
        ]
        if not known:
            return
        at = statistics.fmean(place for place, _ in known)
        last = self.points[-1].at if self.points else -self._step
        if at < last + self._step:
            return
        point = TrainingPoint(round(at, 3), statistics.fmean(value for _, value in known))
        self.points = (*self.points, point)
        if len(self.points) > POINTS_MAX:
            self.points = self.points[1::2]
            self._step *= 2
