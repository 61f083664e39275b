"""Display: shows a run to people; live on a terminal, one plain line per event elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from swarm.launch import run_progress as progress
from swarm.learning.progress import Progress as DatasetProgress

PLAIN_WIDTH_MIN = 120
"""A table in a file need not fit a terminal."""
REFRESH_PER_S = 4
BAR_WIDTH = 20


class Display(Protocol):
    """What the launcher tells."""

    def say(self, text: str, *, loud: bool = False) -> None:
        """Tell something that stays readable."""
        ...

    def print(self, renderable: RenderableType) -> None:
        """Show a table, or a line that must not be broken or decorated."""
        ...

    def dataset_progress(self, done: DatasetProgress) -> None:
        """Tell how far the data set is; called from another thread."""
        ...

    @contextmanager
    def watching(self, run: progress.Progress, title: str) -> Iterator[None]:
        """Keep a view of the run up to date inside the block."""
        ...


def open_display() -> Display:
    """The display for this process's standard output."""
    console = Console(markup=False, highlight=False, emoji=False)
    return TerminalDisplay(console) if console.is_terminal else PlainDisplay(console)


class PlainDisplay:
    """For files and pipes: no control codes, every line is whole and at once."""

    def __init__(self, console: Console) -> None:
        console.width = max(console.width, PLAIN_WIDTH_MIN)
        self._console = console
        self._started_s = time.monotonic()
        self._tenth = -1

    def say(self, text: str, *, loud: bool = False) -> None:
        """Write one line, with the seconds since the start."""
        mark = "!!! " if loud else ""
        self.print(f"[{time.monotonic() - self._started_s:6.1f} s] {mark}{text}")

    def print(self, renderable: RenderableType) -> None:
        """Write it, and flush: a pipe's reader waits."""
        self._console.print(renderable, soft_wrap=isinstance(renderable, str))
        self._console.file.flush()

    def dataset_progress(self, done: DatasetProgress) -> None:
        """Write a line for each tenth."""
        if int(done.fraction * 10) != self._tenth:
            self._tenth = int(done.fraction * 10)
            self.say(f"{done.text or done.phase}: {done.fraction:.0%}")

    @contextmanager
    def watching(self, run: progress.Progress, title: str) -> Iterator[None]:
        """Show nothing: the lines tell it all."""
        yield


class TerminalDisplay:
    """For people at a terminal: what happened scrolls by above, the state now stays below."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started_s = time.monotonic()
        self._bar: Progress | None = None

    def say(self, text: str, *, loud: bool = False) -> None:
        """Print above the live view what the view does not show."""
        self._end_bar()
        if isinstance(text, progress.Detail):
            return
        elapsed = f"{time.monotonic() - self._started_s:6.1f} s  "
        style = "bold yellow" if loud else ""
        self._console.print(Text.assemble((elapsed, "dim"), (text, style)))

    def print(self, renderable: RenderableType) -> None:
        """Print above the live view; text is not wrapped, so that it can be copied."""
        self._end_bar()
        self._console.print(renderable, soft_wrap=isinstance(renderable, str))

    def dataset_progress(self, done: DatasetProgress) -> None:
        """Show a bar for as long as nothing else is told."""
        if self._bar is None:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
            self._bar = Progress(*columns, TaskProgressColumn(), console=self._console)
            self._bar.add_task("", total=1.0)
            self._bar.start()
        task = self._bar.task_ids[0]
        text = done.text or str(done.phase)
        self._bar.update(task, description=text, completed=done.fraction)

    @contextmanager
    def watching(self, run: progress.Progress, title: str) -> Iterator[None]:
        """Redraw a few times a second."""
        view = _View(run, title, self._started_s)
        with Live(
            view,
            console=self._console,
            refresh_per_second=REFRESH_PER_S,
            redirect_stderr=False,
            redirect_stdout=False,
        ):
            yield

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class _View:
    """The state of a run; drawn anew each time rich asks."""

    def __init__(self, run: progress.Progress, title: str, started_s: float) -> None:
        self._run = run
        self._title = title
        self._started_s = started_s

    def __rich__(self) -> RenderableType:
        return Group(Text(), self._headline(), self._rounds(), self._peers())

    def _headline(self) -> Text:
        minutes, seconds = divmod(int(time.monotonic() - self._started_s), 60)
        line = Text(self._title, style="bold")
        line.append(f"  {self._run.stage}  {minutes}:{seconds:02}", style="not bold")
        line.append(f"  {self._run.page}", style="not bold cyan")
        return line

    def _rounds(self) -> Table:
        run = self._run
        row = Table.grid(padding=(0, 2))
        figures = []
        if run.train_accuracy is not None:
            figures.append(f"training accuracy {run.train_accuracy:.1%}")
        newest = run.newest_accuracy
        if newest is not None:
            figures.append(f"test accuracy {newest.accuracy:.1%} after round {newest.round}")
        bar = _bar(run.head_round or 0, run.rounds, 2 * BAR_WIDTH)
        row.add_row(bar, Text("  ".join(figures)))
        return row

    def _peers(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("peer", "is", "", "training accuracy", "own test accuracy"):
            table.add_column(column, justify="right" if "accuracy" in column else "left")
        for peer in self._run.peers.values():
            style = "red" if peer.phase == "died" else ""
            bar = _bar(peer.fraction, 1.0, BAR_WIDTH)
            table.add_row(
                Text(peer.name, style=style),
                Text(f"{peer.phase:<10}", style=style),
                bar if peer.phase in ("training", "waiting") else Text(" " * BAR_WIDTH),
                Text(_share(peer.train_accuracy)),
                Text(_share(peer.accuracy)),
            )
        return table


def _bar(completed: float, total: float, width: int) -> ProgressBar:
    return ProgressBar(
        total, completed, width=width, complete_style="cyan", finished_style="green"
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
