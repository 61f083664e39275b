"""Waits for what other processes do, and ends them; shared by helpers that start swarms."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence

POLL_S = 0.05


def wait_for(
    condition: Callable[[], bool],
    what: str,
    timeout_s: float,
    logs: Callable[[], str],
    has_crashed: Callable[[], bool] = lambda: False,
) -> None:
    """Wait until a condition holds that only files and exit codes of processes can show.

    Args:
        condition: Called again and again.
        what: What is waited for, in words.
        timeout_s: Longest wait.
        logs: The ends of all logs, for the message.
        has_crashed: Whether waiting longer is of no use.

    Raises:
        TimeoutError: It did not hold in time, or a process crashed.
    """
    until_s = time.monotonic() + timeout_s
    while not condition():
        if has_crashed() or time.monotonic() > until_s:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s\n{logs()}")
        time.sleep(POLL_S)  # noqa: TID251 (processes give no event that this thread could await)


def end_all(processes: Sequence[subprocess.Popen[bytes]], within_s: float) -> None:
    """End processes, also stopped ones; kill those that take longer."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    for process in running:
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
