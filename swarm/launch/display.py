"""Display: tells people what happens in a run, one plain line per event."""

import time

from rich.console import Console, RenderableType

from swarm.learning.progress import Progress as DatasetProgress

WIDTH_MIN = 120
"""A table in a file need not fit a terminal."""


class Display:
    """Writes to standard output: no control codes, every line is whole and at once."""

    def __init__(self) -> None:
        self._console = Console(markup=False, highlight=False, emoji=False)
        if not self._console.is_terminal:
            self._console.width = max(self._console.width, WIDTH_MIN)
        self._started_s = time.monotonic()
        self._tenth = -1

    def say(self, text: str, *, loud: bool = False) -> None:
        """Write one line, with the seconds since the start."""
        mark = "!!! " if loud else ""
        self.print(f"[{time.monotonic() - self._started_s:6.1f} s] {mark}{text}")

    def print(self, renderable: RenderableType) -> None:
        """Write a table, or a line that must not be broken, and flush: a pipe's reader waits."""
        self._console.print(renderable, soft_wrap=isinstance(renderable, str))
        self._console.file.flush()

    def dataset_progress(self, done: DatasetProgress) -> None:
        """Write a line for each tenth of the data set; called from another thread."""
        if int(done.fraction * 10) != self._tenth:
            self._tenth = int(done.fraction * 10)
            self.say(f"{done.text or done.phase}: {done.fraction:.0%}")
