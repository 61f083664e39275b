"""What programs write, line by line, as they write it."""

from collections.abc import Callable
from pathlib import Path

import trio

LINE_BYTES_MAX = 65_536
"""A program that never ends its line must not fill our memory."""

OnLine = Callable[[str], None]


async def read_lines(stream: trio.abc.ReceiveStream, on_line: OnLine) -> None:
    """Hand on a stream line by line, until it ends."""
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[-LINE_BYTES_MAX:]
        for line in lines:
            on_line(line.decode(errors="replace"))
    if rest:
        on_line(rest.decode(errors="replace"))


async def follow(
    process: trio.Process,
    on_line: OnLine,
    on_output: OnLine,
    *,
    log: Path | None = None,
    when_ended: Callable[[], None] = lambda: None,
) -> None:
    """Hand on all that a process writes, until it has ended; kill it if this is cancelled.

    Args:
        process: Opened with pipes for stdout and stderr.
        on_line: Called with each line of stderr.
        on_output: Called with each line of stdout.
        log: File that lines of stderr are added to.
        when_ended: Called when the process has ended, before its pipes are read to their end:
            for ending others who hold them open.
    """
    assert process.stdout is not None  # noqa: S101 - opened with pipes
    assert process.stderr is not None  # noqa: S101
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep_lines, process.stderr, on_line, log)
            nursery.start_soon(read_lines, process.stdout, on_output)
            await process.wait()
            when_ended()
    finally:
        if process.poll() is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def _keep_lines(stream: trio.abc.ReceiveStream, on_line: OnLine, log: Path | None) -> None:
    if log is None:
        await read_lines(stream, on_line)
        return
    with log.open("a", encoding="utf-8") as file:

        def keep(line: str) -> None:
            file.write(line + "\n")
            file.flush()
            on_line(line)

        await read_lines(stream, keep)
