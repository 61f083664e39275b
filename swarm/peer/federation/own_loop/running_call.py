"""RunningCall: whether a function call still runs, seen from another thread."""

import sys
import threading
from types import FrameType


class RunningCall:
    """A call on the stack of the thread that makes this object.

    `fit` tells its callbacks how it ends, but not that Ctrl-C or an error ended it. Its frame is
    off its thread's stack then.
    """

    def __init__(self, frame: FrameType) -> None:
        self._thread = threading.get_ident()
        self._frame: FrameType | None = frame

    @property
    def running(self) -> bool:
        """Whether the call is on the thread's stack; once it is not, nothing of it is kept."""
        frame = sys._current_frames().get(self._thread)
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        if frame is None:
            self._frame = None  # it holds the caller's variables, such as the data
        return frame is not None


def calling_frame(skipped: tuple[str, ...]) -> FrameType:
    """The innermost caller whose module's name begins with none of `skipped`."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(skipped):
        frame = frame.f_back
    return frame
