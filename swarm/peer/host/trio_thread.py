"""TrioThread: runs a trio program in a thread of its own, for callers that do not use trio."""

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import trio

from swarm.core.errors import EndedError, only_error

STOP_WITHIN_S = 10.0
R = TypeVar("R")

Main = Callable[[Callable[[], None]], Awaitable[None]]
"""What runs in the thread; it calls its argument once the thread can be called."""


class TrioThread:
    """A thread that runs from its creation until its main function ends.

    Invariant: an error that ended the main function is raised to the next caller.
    """

    def __init__(self, name: str, main: Main, leave: Callable[[], None]) -> None:
        """Start the thread; returns once the main function is ready.

        Args:
            name: Name of the thread.
            main: The program to run.
            leave: Makes the main function end; called in the thread.

        Raises:
            BaseException: The error that ended the main function before it was ready.
        """
        self._leave = leave
        self._token: trio.lowlevel.TrioToken | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._thread = threading.Thread(target=self._run, args=(main,), name=name, daemon=True)
        self._thread.start()
        self._ready.wait()
        self._raise_if_ended()

    def call(self, function: Callable[..., Awaitable[R]], *args: Any) -> R:
        """Run an asynchronous function in the thread; return its result.

        Args:
            function: What to run. If it has a time limit, the limit is its last argument.
            args: Its arguments.

        Raises:
            TimeoutError: The function raised `trio.TooSlowError`.
            EndedError: The thread has ended, without an error.
        """
        try:
            with self._raising_its_end():
                result: R = trio.from_thread.run(function, *args, trio_token=self._token)
        except trio.TooSlowError as error:
            raise TimeoutError(f"not within {args[-1]} s") from error
        return result

    def call_sync(self, function: Callable[..., R], *args: Any) -> R:
        """Run a function in the thread, between two steps of its tasks; return its result.

        Raises:
            EndedError: The thread has ended, without an error.
        """
        with self._raising_its_end():
            return trio.from_thread.run_sync(function, *args, trio_token=self._token)

    def stop(self, within_s: float = STOP_WITHIN_S) -> None:
        """Ask the main function to end, and wait for it. Stopping twice is harmless."""
        if self._token is not None and self._thread.is_alive():
            try:
                self._token.run_sync_soon(self._leave)
            except trio.RunFinishedError:
                return
        self._thread.join(within_s)

    def _run(self, main: Main) -> None:
        try:
            trio.run(self._main, main)
        except BaseException as error:  # kept for the next call: a thread has no caller
            self._error = error
            self._traceback = only_error(error).__traceback__
        finally:
            self._ready.set()

    async def _main(self, main: Main) -> None:
        self._token = trio.lowlevel.current_trio_token()
        await main(self._ready.set)

    @contextmanager
    def _raising_its_end(self) -> Iterator[None]:
        self._raise_if_ended()
        try:
            yield
        except (trio.Cancelled, trio.RunFinishedError):
            self._thread.join(STOP_WITHIN_S)
            self._raise_if_ended()
            raise EndedError(f"{self._thread.name} has ended") from None

    def _raise_if_ended(self) -> None:
        if self._error is not None:
            error = only_error(self._error)
            # The original traceback: each raise would make it longer.
            raise error.with_traceback(self._traceback)


class InBackground:
    """Base of what a script runs in a `TrioThread`; `stop` it, or use it in a `with` block."""

    _thread: TrioThread

    def stop(self) -> None:
        """Leave the swarm; everything can be resumed. Stopping twice is harmless."""
        self._thread.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
