"""`python -m swarm.launch.lifeline MODULE [ARGUMENT...]`: `python -m MODULE`, on a lifeline.

The lifeline is stdin: a pipe whose other end only the launcher holds. It closes when the launcher
ends, even by SIGKILL. This process is then asked to leave, and killed if it does not leave in
time. A lifeline works the same on every system, unlike a parent-death signal, and it cannot
mistake one pid for another.
"""

import contextlib
import os
import runpy
import signal
import sys
import threading

LEAVE_WITHIN_S = 5.0


def _end_with_lifeline(lifeline: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(lifeline, 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(LEAVE_WITHIN_S)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)  # with all processes that it has started
    os._exit(1)


def main() -> None:
    """Watch the lifeline in a thread, and run the module."""
    lifeline = os.dup(0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)  # no other code reads or inherits the lifeline
    threading.Thread(target=_end_with_lifeline, args=(lifeline,), daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
