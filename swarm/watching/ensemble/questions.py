"""QuestionLog: the questions that were asked here, and how long they took."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from swarm.core.ids import PeerId

QUESTIONS_SHOWN_MAX = 50
LATENCIES_MAX = 1000
"""Questions whose times the quantiles are of."""


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One question that is over."""

    seq: int
    at_s: float
    """When it was over, on the clock of the caller."""
    num_rows: int
    seconds: float
    answered: tuple[PeerId, ...]
    missing: tuple[tuple[PeerId, str], ...]
    """Members that did not answer, and why, in words."""
    error: str = ""
    """Why it failed; empty if it was answered."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from request to answer, over the newest answered questions."""

    num_questions: int
    p50_s: float
    p99_s: float


class QuestionLog:
    """The newest questions.

    Invariant: `rows` has at most `QUESTIONS_SHOWN_MAX` rows, oldest first, with growing `seq`.
    """

    def __init__(self) -> None:
        self.rows: deque[QuestionRow] = deque(maxlen=QUESTIONS_SHOWN_MAX)
        self.num_asked = 0
        self.num_failed = 0
        self._seconds: deque[float] = deque(maxlen=LATENCIES_MAX)

    def add(
        self,
        at_s: float,
        num_rows: int,
        seconds: float,
        answered: Sequence[PeerId] = (),
        missing: Sequence[tuple[PeerId, str]] = (),
        error: str = "",
    ) -> None:
        """Note a question that is over."""
        row = QuestionRow(
            self.num_asked, at_s, num_rows, seconds, tuple(answered), tuple(missing), error
        )
        self.rows.append(row)
        self.num_asked += 1
        if error:
            self.num_failed += 1
        else:
            self._seconds.append(seconds)

    def latency(self) -> Latency | None:
        """Quantiles of the times; None while no question was answered."""
        if not self._seconds:
            return None
        in_order = sorted(self._seconds)
        return Latency(len(in_order), quantile_of(in_order, 0.5), quantile_of(in_order, 0.99))


def quantile_of(in_order: Sequence[float], share: float) -> float:
    """The smallest number that this share of the numbers does not exceed.

    >>> quantile_of([1.0, 2.0, 3.0, 4.0], 0.5), quantile_of([1.0, 2.0], 0.99)
    (2.0, 2.0)
    """
    return in_order[max(0, math.ceil(share * len(in_order)) - 1)]
