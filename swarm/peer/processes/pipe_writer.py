"""Outlet: bytes on their way into a process's pipe; who puts them in does not wait."""

import os

import trio

SEND_WITHIN_S = 2.0
"""A pipe takes 64 KiB at once; a process that leaves more than that unread has broken down."""


class Outlet:
    """Writes at once what the pipe takes, and the rest in the background.

    It holds as much as is put in; a pool puts in a few trials. A process that is gone takes
    everything: whoever reads from it finds out.

    Invariant: bytes go out in the order in which they were put in, all or, at the end, none.
    """

    def __init__(self, stream: trio.lowlevel.FdStream) -> None:
        self._stream = stream
        self._rest = bytearray()
        self._more = trio.Event()

    def put(self, data: bytes) -> None:
        """Have bytes written, after all those before."""
        num_written = 0 if self._rest else self._write(data)
        self._rest += data[num_written:]
        if self._rest:
            self._more.set()

    async def run(self) -> None:
        """Write what the pipe did not take at once, until the process is gone.

        Raises:
            TooSlowError: It has read nothing for some time.
        """
        while True:
            await self._more.wait()
            data = bytes(self._rest)
            try:
                with trio.fail_after(SEND_WITHIN_S):
                    await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            del self._rest[: len(data)]
            if not self._rest:
                self._more = trio.Event()

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._stream.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)
