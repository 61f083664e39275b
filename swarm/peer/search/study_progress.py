"""StudyProgress: a bar on a terminal, or a line now and then in a file, with the best so far."""

import math
from collections.abc import Callable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from swarm.peer.search.closing_report import best_in_words
from swarm.search.search import Search
from swarm.search.study import StudySpec
from swarm.search.trial import FAILED

LINES = 10
"""Where nobody looks on, so many lines tell of a whole study."""
GROWTH = 1.5
"""Without a known end, a line is due whenever there are so many times the results."""


class StudyProgress:
    """Shows how far a study is; use it in a `with` block and call `show` now and then."""

    def __init__(self, spec: StudySpec, elapsed_s: Callable[[], float]) -> None:
        self._spec = spec
        self._elapsed_s = elapsed_s
        self._console = Console(stderr=True)
        self._told = -1
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[best]}", markup=False),
            console=self._console,
            auto_refresh=False,
            disable=not self._console.is_terminal,
        )
        total = spec.num_trials or None
        self._task: TaskID = self._progress.add_task(spec.name, total=total, best="")

    def __enter__(self) -> "StudyProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, number: int, text: str) -> None:
        """Show that a study has so many results, and say what there is to say about them."""
        if self._console.is_terminal:
            self._progress.update(self._task, completed=number, best=text)
            self._progress.refresh()
            return
        tenth = self._tenth(number)
        if tenth > self._told:
            self._told = tenth
            self._console.print(
                f"{self._spec.name}: {number} results{', ' if text else ''}{text}",
                soft_wrap=True,
                markup=False,
            )

    def _tenth(self, number: int) -> int:
        """How many tenths of its trials or of its time, whichever is more, a study has behind it.

        A grid has neither: its number grows with its results, ever more slowly.
        """
        spec = self._spec
        if not spec.num_trials and not spec.time_budget_s:
            return int(math.log(max(number, 1), GROWTH))
        of_trials = number * LINES // spec.num_trials if spec.num_trials else 0
        elapsed_s = self._elapsed_s()
        if not spec.time_budget_s or not math.isfinite(elapsed_s):
            return of_trials
        return max(of_trials, min(LINES, int(elapsed_s * LINES / spec.time_budget_s)))


def summary(machine: Search) -> str:
    """The best so far, who works, and what failed, in words."""
    best = best_in_words(machine.ledger)
    return ", ".join([*([best] if best else []), work_in_words(machine)])


def work_in_words(machine: Search) -> str:
    """What failed, and who works."""
    num_failed = sum(result.state == FAILED for result in machine.ledger.results.values())
    failed = [f"{num_failed} failed"] if num_failed else []
    num_peers = len(machine.workers)
    return ", ".join([*failed, f"{num_peers} peer{'s' if num_peers != 1 else ''}"])
