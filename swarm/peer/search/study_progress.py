"""StudyProgress: a bar on a terminal, or about ten lines in a log file, with the best so far."""

import math

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from swarm.peer.search.study_text import best_in_words
from swarm.search.search import Search
from swarm.search.study import StudySpec
from swarm.search.study_ledger import StudyLedger
from swarm.search.trial import FAILED

LINES = 10
"""Lines for a whole study, if stderr is no terminal."""
GROWTH = 1.5
"""Without a known end, the next line is due when the results have grown by this factor."""


class StudyProgress:
    """Shows how far a study is; use it in a `with` block and call `show` after changes."""

    def __init__(self, spec: StudySpec) -> None:
        self._spec = spec
        self._console = Console(stderr=True)
        self._last_line = -1
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

    def show_machine(self, machine: Search) -> None:
        """Show how far a study among peers is now, and how many peers work for it."""
        self.show(machine.ledger, machine.elapsed_s, work_in_words(machine))

    def show(self, ledger: StudyLedger, elapsed_s: float = math.nan, notes: str = "") -> None:
        """Show how far a study is now.

        Args:
            ledger: The study's trials and results so far.
            elapsed_s: Seconds since its beginning; not finite if unknown.
            notes: Words to show after the best trial.
        """
        number = len(ledger.results)
        text = ", ".join(filter(None, [best_in_words(ledger), notes]))
        if self._console.is_terminal:
            self._progress.update(self._task, completed=number, best=text)
            self._progress.refresh()
            return
        line = self._line(number, elapsed_s)
        if line > self._last_line:
            self._last_line = line
            self._console.print(
                f"{self._spec.name}: {number} results, {text}", soft_wrap=True, markup=False
            )

    def _line(self, number: int, elapsed_s: float) -> int:
        """Number of the line that is due: tenths of the trials or of the time, whichever is more.

        A grid has no known end. There the distance between two lines grows by `GROWTH`.
        """
        spec = self._spec
        if not spec.num_trials and not spec.time_budget_s:
            return int(math.log(max(number, 1), GROWTH))
        of_trials = number * LINES // spec.num_trials if spec.num_trials else 0
        if not spec.time_budget_s or not math.isfinite(elapsed_s):
            return of_trials
        return max(of_trials, min(LINES, int(elapsed_s * LINES / spec.time_budget_s)))


def work_in_words(machine: Search) -> str:
    """How many trials failed, and how many peers work."""
    num_failed = sum(result.state == FAILED for result in machine.ledger.results.values())
    failed = [f"{num_failed} failed"] if num_failed else []
    num_peers = len(machine.workers)
    return ", ".join([*failed, f"{num_peers} peer{'s' if num_peers != 1 else ''}"])
