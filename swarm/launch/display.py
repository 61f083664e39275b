"""Display: shows a run: a live view on a terminal, else one plain line per event."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from swarm.launch.run_progress import Detail, PeerProgress, RunProgress, rough_duration
from swarm.learning.progress import Progress as DatasetProgress

PLAIN_WIDTH_MIN = 120
"""Least width of a table in a file, which need not fit a terminal."""
REFRESH_PER_S = 4
BAR_WIDTH = 20


class PlainDisplay:
    """For files and pipes: without control codes; each line is written at once and in full."""

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
        """Write it and flush, so that the reader of a pipe sees it at once."""
        self._console.print(renderable, soft_wrap=isinstance(renderable, str))
        self._console.file.flush()

    def dataset_progress(self, done: DatasetProgress) -> None:
        """Write a line for each tenth of the work."""
        if int(done.fraction * 10) != self._tenth:
            self._tenth = int(done.fraction * 10)
            self.say(f"{done.text or done.phase}: {done.fraction:.0%}")

    @contextmanager
    def watching(self, run: RunProgress, title: str) -> Iterator[None]:
        """Show no view: the lines contain everything."""
        yield


class TerminalDisplay:
    """For terminals: messages scroll by above, the current state stays below."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started_s = time.monotonic()
        self._bar: Progress | None = None

    def say(self, text: str, *, loud: bool = False) -> None:
        """Print a message above the live view, unless the view shows the same."""
        self._end_bar()
        if isinstance(text, Detail):
            return
        elapsed = f"{time.monotonic() - self._started_s:6.1f} s  "
        style = "bold yellow" if loud else ""
        self._console.print(Text.assemble((elapsed, "dim"), (text, style)))

    def print(self, renderable: RenderableType) -> None:
        """Print above the live view. Text is not wrapped, so that it can be copied."""
        self._end_bar()
        self._console.print(renderable, soft_wrap=isinstance(renderable, str))

    def dataset_progress(self, done: DatasetProgress) -> None:
        """Show a progress bar until the next message."""
        if self._bar is None:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
            self._bar = Progress(*columns, TaskProgressColumn(), console=self._console)
            self._bar.add_task("", total=1.0)
            self._bar.start()
        task = self._bar.task_ids[0]
        text = done.text or str(done.phase)
        self._bar.update(task, description=text, completed=done.fraction)

    @contextmanager
    def watching(self, run: RunProgress, title: str) -> Iterator[None]:
        """Redraw the view a few times a second."""
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


Display = PlainDisplay | TerminalDisplay
"""Shows messages and the progress of the run; another thread calls `dataset_progress`."""


def open_display() -> Display:
    """Return the display for this process's standard output."""
    console = Console(markup=False, highlight=False, emoji=False)
    return TerminalDisplay(console) if console.is_terminal else PlainDisplay(console)


class _View:
    """The state of a run, drawn again at each refresh."""

    def __init__(self, run: RunProgress, title: str, started_s: float) -> None:
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
        if newest is not None and newest.round > 0:
            figures.append(f"test accuracy {newest.accuracy:.1%} (round {newest.round})")
        left_s = run.seconds_left(time.monotonic())
        if left_s is not None and run.head_round != run.rounds:
            figures.append(f"about {rough_duration(left_s)} left")
        bar = _bar(run.head_round or 0, run.rounds, 2 * BAR_WIDTH)
        row.add_row(bar, Text("  ".join(figures)))
        return row

    def _peers(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("peer", "phase", "", "training accuracy", "accuracy on its test shard"):
            table.add_column(column, justify="right" if "accuracy" in column else "left")
        for peer in self._run.peers.values():
            style = "" if peer.alive else "red" if peer.phase == "died" else "dim"
            bar = _bar(peer.fraction, 1.0, BAR_WIDTH)
            table.add_row(
                Text(peer.name, style=style),
                Text(f"{peer.phase:<10}", style=style),
                bar if peer.phase in ("training", "waiting") else Text(" " * BAR_WIDTH),
                Text(_share(peer.train_accuracy), style=style),
                Text(_measured(peer), style=style),
            )
        return table


def _bar(completed: float, total: float, width: int) -> ProgressBar:
    return ProgressBar(
        total, completed, width=width, complete_style="cyan", finished_style="green"
    )


def _measured(peer: PeerProgress) -> str:
    """A peer's accuracy with the round it belongs to; the untrained model's is no result."""
    if peer.accuracy is None or peer.accuracy_round == 0:
        return ""
    return f"{peer.accuracy:.1%} (round {peer.accuracy_round})"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
