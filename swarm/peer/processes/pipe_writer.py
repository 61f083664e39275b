"""PipeWriter: writes into a process's pipe without making the caller wait."""

import os

import trio


class PipeWriter:
    """Writes at once what the pipe takes, and the rest in the background.

    It holds everything that is put in; its owners put in a few requests at a time. Bytes for a
    process that is gone are dropped: whoever reads from the process notices its end.

    Invariant: bytes go out in the order in which they were put in, all or, at the end, none.
    """

    def __init__(self, stream: trio.lowlevel.FdStream) -> None:
        self._stream = stream
        self._rest = bytearray()
        self._more = trio.Event()

    def put(self, data: bytes) -> None:
        """Write bytes after all those before."""
        num_written = 0 if self._rest else self._write(data)
        self._rest += data[num_written:]
        if self._rest:
            self._more.set()

    async def run(self, patience_s: float) -> None:
        """Write what the pipe did not take at once, until the process is gone.

        Raises:
            TooSlowError: The process has left bytes unread for `patience_s` seconds.
        """
        while True:
            await self._more.wait()
            data = bytes(self._rest)
            try:
                with trio.fail_after(patience_s):
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
