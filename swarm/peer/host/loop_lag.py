"""LagMeter: how late the event loop wakes up, for benchmarks."""

import time
from collections import deque

import trio

EVERY_S = 0.01
SAMPLES_MAX = 30_000
"""Five minutes of samples; older ones are dropped."""


class LagMeter:
    """Sleeps for a fixed time, again and again, and records how much longer each sleep took.

    A loop is late because its own tasks compute, or because other threads and processes have the
    processor. So the meter also records how long the loop's thread computed meanwhile.
    """

    def __init__(self) -> None:
        self._late_s: deque[float] = deque(maxlen=SAMPLES_MAX)
        self._busy_s: deque[float] = deque(maxlen=SAMPLES_MAX)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due_s, computed_s = trio.current_time() + EVERY_S, time.thread_time()
            await trio.sleep_until(due_s)
            self._late_s.append(trio.current_time() - due_s)
            self._busy_s.append(time.thread_time() - computed_s)

    def report(self) -> dict[str, float | int]:
        """Percentiles so far, in milliseconds."""
        late, busy = sorted(self._late_s), sorted(self._busy_s)
        if not late:
            return {}
        return {
            "loop_lag_p50_ms": round(1000 * late[len(late) // 2], 2),
            "loop_lag_p99_ms": round(1000 * late[len(late) * 99 // 100], 2),
            "loop_lag_max_ms": round(1000 * late[-1], 2),
            "loop_lag_samples": len(late),
            "loop_busy_p99_ms": round(1000 * busy[len(busy) * 99 // 100], 2),
            "loop_busy_max_ms": round(1000 * busy[-1], 2),
        }
