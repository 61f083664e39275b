"""Reads the output of processes line by line, as they write it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import PIPE

import trio

LINE_BYTES_MAX = 65_536
"""Longest line; a program that never ends its line must not fill the memory."""

OnLine = Callable[[str], None]


async def read_lines(stream: trio.abc.ReceiveStream, on_line: OnLine) -> None:
    """Call `on_line` with each line of a stream, until the stream ends."""
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[-LINE_BYTES_MAX:]
        for line in lines:
            on_line(line.decode(errors="replace"))
    if rest:
        on_line(rest.decode(errors="replace"))


async def follow_command(
    command: Sequence[str],
    on_line: OnLine,
    on_output: OnLine,
    *,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> None:
    """Run a command in its own session, so that Ctrl-C does not reach it; see `follow`."""
    process = await trio.lowlevel.open_process(
        command, stdout=PIPE, stderr=PIPE, env=env, start_new_session=True
    )
    await follow(process, on_line, on_output, log=log)


async def follow(
    process: trio.Process,
    on_line: OnLine,
    on_output: OnLine,
    *,
    log: Path | None = None,
    when_ended: Callable[[], None] = lambda: None,
) -> None:
    """Read all output of a process until it has ended. If cancelled, kill the process.

    Args:
        process: Process with pipes for stdout and stderr.
        on_line: Called with each line of stderr.
        on_output: Called with each line of stdout.
        log: File to which the lines of stderr are added.
        when_ended: Called when the process has ended, before its pipes are read to the end. It
            can end other processes that hold the pipes open.
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
