"""Bridge: base of brokers whose client library needs a thread; hands over to trio and back."""

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import trio

from swarm.core.errors import NetworkError
from swarm.peer.search.brokers.broker import Delivery

CONNECT_WITHIN_S = 15.0
STOP_WITHIN_S = 4.0
RETRY_AFTER_S = (0.5, 1.0, 2.0, 5.0)
"""Pauses between attempts to restore a connection; the last pause repeats."""


class Bridge:
    """What the thread and the trio task share; comments say which of them may call a method."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        # Unbounded here: the broker delivers at most `prefetch` messages before they are answered.
        self._send, self._receive = trio.open_memory_channel[Delivery](math.inf)
        self._connected = trio.Event()
        self._error: str | None = None
        self._failure: NetworkError | None = None
        self._waiting: set[trio.Event] = set()
        self._gone = trio.Event()
        self.stopping = threading.Event()
        """Set when the thread must end."""

    # -- called in trio

    async def receive(self) -> Delivery:
        """See `Broker.receive`.

        Raises:
            NetworkError: The thread has failed.
        """
        try:
            return await self._receive.receive()
        except trio.EndOfChannel as error:
            raise self._failure or NetworkError("the broker's thread has ended") from error

    def receive_waiting(self) -> list[Delivery]:
        """See `Broker.receive_waiting`."""
        waiting: list[Delivery] = []
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:
                waiting.append(self._receive.receive_nowait())
        return waiting

    async def wait_connected(self, what: str) -> None:
        """Wait until the thread has connected for the first time.

        Args:
            what: The broker's address, for the error.

        Raises:
            NetworkError: It took too long.
        """
        with trio.move_on_after(CONNECT_WITHIN_S):
            await self._connected.wait()
        if not self._connected.is_set():
            raise NetworkError(
                f"cannot reach the broker at {what} within {CONNECT_WITHIN_S:.0f} s. "
                f"Is it running? {self._error or ''}"
            )

    async def wait_done(self, start: Callable[[Callable[[], None]], None]) -> None:
        """Give the thread something to do, and wait until it is done.

        Args:
            start: Gives it to the thread, which calls the argument of `start` when it is done.

        Raises:
            NetworkError: The thread has failed.
        """
        if self._failure is not None:
            raise self._failure
        done = trio.Event()
        start(lambda: self._in_trio(done.set))
        self._waiting.add(done)
        try:
            await done.wait()
        finally:
            self._waiting.discard(done)
        if self._failure is not None:
            raise self._failure

    def start(self, body: Callable[[], None]) -> None:
        """Start the thread."""

        def run() -> None:
            try:
                body()
            except Exception as error:  # raised again in the tasks that wait for the thread
                self._in_trio(self._fail, f"{type(error).__name__}: {error}")
            finally:
                self._in_trio(self._gone.set)

        threading.Thread(target=run, name="broker", daemon=True).start()

    async def stop(self) -> None:
        """End the thread; if it hangs, the process can end without it, for it is a daemon."""
        self.stopping.set()
        with trio.CancelScope(shield=True), trio.move_on_after(STOP_WITHIN_S):
            await self._gone.wait()

    def _fail(self, reason: str) -> None:
        self._failure = NetworkError(f"the connection to the broker failed: {reason}")
        self._send.close()
        for event in self._waiting:
            event.set()

    # -- called in the thread

    def deliver(self, delivery: Delivery) -> None:
        """Hand a message to the trio side."""
        self._in_trio(self._send.send_nowait, delivery)

    def connected(self) -> None:
        """Note that there is a connection."""
        self._in_trio(self._connected.set)

    def failed(self, error: object) -> None:
        """Note why there is no connection."""
        self._error = str(error)

    def _in_trio(self, function: Callable[..., object], *arguments: Any) -> None:
        try:
            self._token.run_sync_soon(function, *arguments)
        except trio.RunFinishedError:
            self.stopping.set()


def retry_pause_s(attempt: int) -> float:
    """Seconds before attempt number `attempt`, counted from 0."""
    return RETRY_AFTER_S[min(attempt, len(RETRY_AFTER_S) - 1)]
