"""Clock: virtual time, and a queue of actions that are due."""

import heapq
from collections.abc import Callable
from typing import Any


class Clock:
    """Runs actions in the order of their times; ties run in the order of scheduling.

    Invariant: `now_s` never goes back.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.num_actions = 0
        """Actions run so far."""
        self._queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._serial = 0
        self._stopped = False

    def at(self, due_s: float, action: Callable[..., None], *args: Any) -> None:
        """Run `action(*args)` at `due_s`, or at once if that has passed."""
        self._serial = serial = self._serial + 1
        due_s = due_s if due_s > self.now_s else self.now_s
        heapq.heappush(self._queue, (due_s, serial, action, args))

    def after(self, delay_s: float, action: Callable[..., None], *args: Any) -> None:
        """Run `action(*args)` in `delay_s`."""
        self.at(self.now_s + delay_s, action, *args)

    def run(self, until_s: float) -> None:
        """Run actions that are due by `until_s`, until the queue is empty or `stop` is called."""
        queue, pop = self._queue, heapq.heappop
        self._stopped = False
        while queue and queue[0][0] <= until_s and not self._stopped:
            self.now_s, _, action, args = pop(queue)
            self.num_actions += 1
            action(*args)

    def stop(self) -> None:
        """End `run` after the action that is running."""
        self._stopped = True
