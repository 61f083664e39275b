"""PipeWriter on a real pipe: what fits is written at once, the rest in order, within limits."""

import os
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from swarm.peer.processes.pipe_writer import PipeWriter

pytestmark = pytest.mark.trio
PIPE_BYTES = 64 * 1024
PATIENCE_S = 2.0


class Pipe:
    """Both ends of a pipe: the near one in a `PipeWriter`, the far one for `os.read`."""

    def __init__(self) -> None:
        self.far, near = os.pipe()
        os.set_blocking(self.far, False)
        self.near = trio.lowlevel.FdStream(near)
        self.writer = PipeWriter(self.near)

    def read(self) -> bytes:
        try:
            return os.read(self.far, 1 << 20)
        except BlockingIOError:
            return b""


@pytest.fixture
async def pipe() -> AsyncIterator[Pipe]:
    opened = Pipe()
    yield opened
    await opened.near.aclose()
    os.close(opened.far)


async def test_bytes_that_fit_are_written_at_once(pipe: Pipe) -> None:
    pipe.writer.put(b"one")
    pipe.writer.put(b"two")

    assert pipe.read() == b"onetwo"


async def test_bytes_that_do_not_fit_follow_in_order(pipe: Pipe) -> None:
    pieces = [bytes([number]) * 40_000 for number in range(6)]
    for piece in pieces:
        pipe.writer.put(piece)

    received = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.writer.run, PATIENCE_S)
        while len(received) < 240_000:
            received += pipe.read()
            await trio.testing.wait_all_tasks_blocked()
        pipe.writer.put(b"last")
        nursery.cancel_scope.cancel()

    assert received + pipe.read() == b"".join(pieces) + b"last"


async def test_a_process_that_reads_nothing_is_given_up(
    pipe: Pipe, autojump_clock: trio.testing.MockClock
) -> None:
    pipe.writer.put(bytes(PIPE_BYTES + 1))

    with pytest.raises(trio.TooSlowError):
        await pipe.writer.run(PATIENCE_S)


async def test_bytes_for_a_process_that_is_gone_are_dropped(pipe: Pipe) -> None:
    pipe.writer.put(bytes(PIPE_BYTES + 1))
    os.close(pipe.far)
    pipe.far = os.open(os.devnull, os.O_RDONLY)

    await pipe.writer.run(PATIENCE_S)
    pipe.writer.put(b"more")
