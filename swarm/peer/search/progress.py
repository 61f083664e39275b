"""StudyProgress: a bar on a terminal, or a line now and then in a file, with the best so far."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from swarm.search.search import Search
from swarm.search.trial import FAILED

LINES = 10
"""Where nobody looks on, so many lines tell of a whole study."""


class StudyProgress:
    """Shows how far a study is; use it in a `with` block and call `show` now and then."""

    def __init__(self, machine: Search) -> None:
        self._machine = machine
        self._console = Console(stderr=True)
        self._told = -1
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[best]}"),
            console=self._console,
            auto_refresh=False,
            disable=not self._console.is_terminal,
        )
        total = machine.spec.num_trials or None
        self._task: TaskID = self._progress.add_task(machine.spec.name, total=total, best="")

    def __enter__(self) -> "StudyProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.show()
        self._progress.stop()

    def show(self) -> None:
        """Show how far the study is now."""
        number = len(self._machine.ledger.results)
        text = summary(self._machine)
        if self._console.is_terminal:
            self._progress.update(self._task, completed=number, best=text)
            self._progress.refresh()
            return
        tenth = (
            number * LINES // self._machine.spec.num_trials if self._machine.spec.num_trials else 0
        )
        if tenth > self._told:
            self._told = tenth
            self._console.print(
                f"{self._machine.spec.name}: {number} results, {text}", soft_wrap=True
            )


def summary(machine: Search) -> str:
    """The best so far, who works, and what failed, in words."""
    ledger = machine.ledger
    best = ledger.best
    words = []
    if best is not None and best.value is not None:
        trial = ledger.trials[best.trial]
        params = ", ".join(f"{name}={_short(value)}" for name, value in trial.params)
        words.append(f"best {machine.spec.objective} {best.value:.4f} ({trial.model} {params})")
    num_failed = sum(result.state == FAILED for result in ledger.results.values())
    if num_failed:
        words.append(f"{num_failed} failed")
    num_peers = len(machine.workers)
    words.append(f"{num_peers} peer{'s' if num_peers != 1 else ''}")
    return ", ".join(words)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
