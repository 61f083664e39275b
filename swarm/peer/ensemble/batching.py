"""Batching: which requests of several callers become one question, and when it goes out.

A question costs every member about the same, whether it has one row or fifty. So requests that
come together are asked together:

- While nothing is under way, a request goes out at once, or, if the last question had several
  callers, after at most 5 ms or with 256 rows: company is likely.
- While questions are under way, the next one collects. At most two are under way.
- At most 40 small questions a second go out, with a burst of 30, and fewer large ones: members
  refuse messages beyond a limit, which counts bytes as well.

Under overload a request is refused at once: the rows that wait have a bound.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from swarm.core.errors import OverloadedError
from swarm.network.limits import message_cost

WINDOW_S = 0.005
"""Longest wait for company while nothing is under way."""
ROWS_ENOUGH = 256
"""A question with this number of rows waits for no more."""
UNDER_WAY_MAX = 2
QUESTIONS_PER_S = 40.0
"""Small ones; `Batches.charge` counts bytes. One row of 80 columns costs 1.1, ten rows 1.5."""
QUESTIONS_BURST = 30.0
ROWS_WAITING_MAX = 8192
REQUESTS_WAITING_MAX = 2048

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[R]):
    request: R
    num_rows: int
    since_s: float


@dataclass(slots=True)
class Batches(Generic[R]):
    """Requests that wait; plain rules, with time as an argument.

    Invariants:
        A batch has at most `rows_max` rows, unless a single request has more.
        Requests leave in the order in which they came.
    """

    rows_max: int
    """Most rows of one question."""
    under_way: int = 0
    """Questions that were sent and are not over."""
    _waiting: deque[_Waiting[R]] = field(default_factory=deque)
    _rows_waiting: int = 0
    _has_company: bool = False
    _tokens: float = QUESTIONS_BURST
    _filled_s: float = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request: R, num_rows: int, now_s: float) -> None:
        """Queue a request.

        Raises:
            OverloadedError: Too many rows or requests wait; nothing was queued.
        """
        rows = self._rows_waiting + num_rows
        if self._waiting and rows > ROWS_WAITING_MAX:
            raise OverloadedError(
                f"busy: {self._rows_waiting} rows wait, at most {ROWS_WAITING_MAX} may, "
                f"and this request has {num_rows}; ask again later"
            )
        if len(self._waiting) >= REQUESTS_WAITING_MAX:
            raise OverloadedError(
                f"busy: {len(self._waiting)} requests wait, which is the most; ask again later"
            )
        self._waiting.append(_Waiting(request, num_rows, now_s))
        self._rows_waiting = rows

    def due_s(self, now_s: float) -> float:
        """When the next batch may go out; infinity while none waits or too many are under way."""
        if not self._waiting or self.under_way >= UNDER_WAY_MAX:
            return math.inf
        since_s = self._waiting[0].since_s
        if self._rows_waiting < ROWS_ENOUGH and (self.under_way or self._has_company):
            since_s += WINDOW_S
        return max(since_s, self._paced_s(now_s))

    def take(self, now_s: float) -> list[R]:
        """Take the next batch; it is under way until `end` is called."""
        self._fill(now_s)
        self._tokens -= 1
        batch = [self._pop()]
        rows = batch[0].num_rows
        while self._waiting and rows + self._waiting[0].num_rows <= self.rows_max:
            batch.append(self._pop())
            rows += batch[-1].num_rows
        self._has_company = len(batch) > 1
        self.under_way += 1
        return [waiting.request for waiting in batch]

    def charge(self, size_bytes: int) -> None:
        """Count the bytes of a question that goes out as a message."""
        self._tokens -= message_cost(size_bytes) - 1

    def end(self) -> None:
        """Note that a question is over."""
        self.under_way -= 1

    def _pop(self) -> _Waiting[R]:
        waiting = self._waiting.popleft()
        self._rows_waiting -= waiting.num_rows
        return waiting

    def _paced_s(self, now_s: float) -> float:
        self._fill(now_s)
        return now_s + max(0.0, 1 - self._tokens) / QUESTIONS_PER_S

    def _fill(self, now_s: float) -> None:
        gained = max(0.0, now_s - self._filled_s) * QUESTIONS_PER_S
        self._tokens = min(QUESTIONS_BURST, self._tokens + gained)
        self._filled_s = now_s
