"""ProgressLine: a run's progress in a script's output."""

import sys
from typing import TextIO

from swarm.peer.federation.peer_view import PeerView


class ProgressLine:
    """Writes views of a run to a stream.

    A terminal and a notebook show one line, which is redrawn. Any other stream gets one line for
    each new round, so that a log file stays short.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        in_notebook = type(self._stream).__module__.startswith("ipykernel")
        self._redraws = in_notebook or self._stream.isatty()
        self._shown: object = None
        self._width = 0

    def show(self, view: PeerView) -> None:
        """Write the view, if it says something new."""
        news: object = (
            view.line if self._redraws else (view.round, max(view.accuracies, default=0))
        )
        if news == self._shown:
            return
        self._shown = news
        if self._redraws:
            self._stream.write("\r" + view.line.ljust(self._width))
            self._width = len(view.line)
        else:
            self._stream.write(view.line + "\n")
        self._stream.flush()

    def close(self) -> None:
        """End the line that is redrawn."""
        if self._redraws and self._shown is not None:
            self._stream.write("\n")
            self._stream.flush()
