"""TrioThread: runs a trio program in a thread of its own, for callers that do not use trio."""

import atexit
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog
import trio

from swarm.core.errors import EndedError, SwarmError, only_error

STOP_WITHIN_S = 10.0
R = TypeVar("R")

log = structlog.get_logger()

Main = Callable[[Callable[[], None]], Awaitable[None]]
"""What runs in the thread; it calls its argument once the thread can be called."""


Scratch = tempfile.TemporaryDirectory[str]


def open_scratch(prefix: str) -> Scratch:
    """A temporary folder; it goes also if a process still writes there when it is removed."""
    return Scratch(prefix=prefix, ignore_cleanup_errors=True)


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
        try:
            self._ready.wait()
        except BaseException:  # Ctrl-C: the caller has nothing that it could stop
            self.stop()
            raise
        self.raise_if_failed()

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

    def raise_if_failed(self) -> None:
        """Raise the error that ended the main function, if one did."""
        if self._error is not None:
            error = only_error(self._error)
            # The original traceback: each raise would make it longer.
            raise error.with_traceback(self._traceback)

    @property
    def error(self) -> BaseException | None:
        """The error that ended the main function, if one did."""
        return only_error(self._error) if self._error is not None else None

    @property
    def running(self) -> bool:
        """Whether the main function runs."""
        return self._thread.is_alive()

    def _run(self, main: Main) -> None:
        try:
            trio.run(self._main, main)
        except BaseException as error:  # kept for the next call: a thread has no caller
            self._error = error
            self._traceback = only_error(error).__traceback__
            if self._ready.is_set():  # logged as well: the caller may only look much later
                log.error(f"{self._thread.name} ended", reason=_said(only_error(error)))
        finally:
            self._ready.set()

    async def _main(self, main: Main) -> None:
        self._token = trio.lowlevel.current_trio_token()
        await main(self._ready.set)

    @contextmanager
    def _raising_its_end(self) -> Iterator[None]:
        self.raise_if_failed()
        try:
            yield
        except (trio.Cancelled, trio.RunFinishedError):
            self._thread.join(STOP_WITHIN_S)
            self.raise_if_failed()
            raise EndedError(f"{self._thread.name} has ended") from None


class InBackground:
    """Base of what a script runs in a `TrioThread`; `stop` it, or use it in a `with` block.

    The end of the block raises the error that ended the thread, unless another error ends the
    block. A script that forgets to stop it leaves the swarm at the interpreter's exit.
    """

    def __init__(
        self, name: str, main: Main, leave: Callable[[], None], scratch: Scratch | None = None
    ) -> None:
        """Start the thread; see `TrioThread`.

        Args:
            name: Name of the thread.
            main: The program to run.
            leave: Makes the main function end.
            scratch: A folder that is removed when the main function has ended.
        """

        async def run(ready: Callable[[], None]) -> None:
            with scratch or nullcontext():
                await main(ready)

        self._thread = TrioThread(name, run, leave)
        atexit.register(self._thread.stop)

    def stop(self) -> None:
        """Leave the swarm; everything can be resumed. Stopping twice is harmless."""
        self._thread.stop()
        atexit.unregister(self._thread.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if error_type is None:
            self._thread.raise_if_failed()


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, SwarmError) else repr(error)
