"""ChildPipes: the child's side of the pipes: requests from stdin, answers on stdout.

A child process ends when its stdin closes, at once and whatever it is doing: the peer is gone.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from swarm.peer.processes.framing import Framing

LEARNER_NICENESS = 5
"""Computing gives way to the peer's network, which must answer within milliseconds."""
TRIAL_NICENESS = 10
"""Trials give way to training and aggregation, which other peers wait for."""
M = TypeVar("M")


class ChildPipes(Generic[M]):
    """Reads frames in a thread and writes frames from any thread."""

    def __init__(self, framing: Framing[M], niceness: int) -> None:
        """Claim stdin and stdout for frames.

        What a user's code or a library prints goes to stderr, and what it reads is at its end.

        Args:
            framing: Of the messages.
            niceness: Priority of this process: the greater, the later it gets a core.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the peer, which decides
        os.nice(niceness)
        self._framing = framing
        self._stdin = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), sys.stdin.fileno())
        self._stdout = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._writing = threading.Lock()

    def read(self, take: Callable[[M], None]) -> None:
        """Pass each message to `take`, in a thread, until the peer is gone."""
        threading.Thread(target=self._read, args=(take,), daemon=True).start()

    def send(self, message: M) -> None:
        """Write a message; end the process if the peer is gone."""
        frame = self._framing.encode(message)
        try:
            with self._writing:
                self._stdout.write(frame)
                self._stdout.flush()
        except BrokenPipeError:
            os._exit(0)

    def _read(self, take: Callable[[M], None]) -> None:
        try:
            while message := self._framing.read(self._stdin):
                take(message)
        finally:
            os._exit(0)
