"""A trio program in a thread, as code without trio uses it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from swarm.core.errors import ConfigurationError, EndedError
from swarm.peer.host.trio_thread import InBackground, TrioThread, open_scratch


def _opened() -> tuple[TrioThread, trio.Event]:
    leaving = trio.Event()

    async def main(ready: Callable[[], None]) -> None:
        ready()
        await leaving.wait()

    return TrioThread("test", main, leaving.set), leaving


async def _add(a: int, b: int) -> int:
    await trio.lowlevel.checkpoint()
    return a + b


async def _wait_in_vain(timeout_s: float) -> None:
    with trio.fail_after(timeout_s):
        await trio.sleep_forever()


def test_a_call_runs_in_the_thread_and_its_result_comes_back() -> None:
    thread, _ = _opened()

    assert thread.call(_add, 1, 2) == 3
    thread.stop()


def test_a_question_is_answered_between_two_steps_of_its_tasks() -> None:
    thread, leaving = _opened()

    assert thread.call_sync(trio.lowlevel.current_trio_token) is not None
    assert not thread.call_sync(leaving.is_set)
    thread.stop()
    with pytest.raises(EndedError, match="test has ended"):
        thread.call_sync(leaving.is_set)


def test_a_call_that_takes_too_long_raises_timeout_error() -> None:
    thread, _ = _opened()

    with pytest.raises(TimeoutError, match=r"not within 0\.01 s"):
        thread.call(_wait_in_vain, 0.01)
    thread.stop()


def test_a_call_after_the_end_raises_ended_error() -> None:
    thread, _ = _opened()
    thread.stop()
    thread.stop()

    with pytest.raises(EndedError, match="test has ended"):
        thread.call(_add, 1, 2)


def test_an_error_at_the_start_is_raised_by_the_constructor() -> None:
    async def main(ready: Callable[[], None]) -> None:
        await trio.lowlevel.checkpoint()
        raise ConfigurationError("port must be free")

    with pytest.raises(ConfigurationError, match="port must be free"):
        TrioThread("test", main, lambda: None)


def test_an_error_that_ends_the_thread_is_raised_by_the_next_calls() -> None:
    break_down = trio.Event()

    async def main(ready: Callable[[], None]) -> None:
        async with trio.open_nursery():
            ready()
            await break_down.wait()
            raise ConfigurationError("the disk is full")

    async def breaking() -> None:
        break_down.set()
        await trio.sleep_forever()

    thread = TrioThread("test", main, lambda: None)

    for _ in range(2):
        with pytest.raises(ConfigurationError, match="the disk is full"):
            thread.call(breaking)


def test_the_end_of_a_block_raises_what_ended_the_thread_unless_another_error_does() -> None:
    def failing() -> InBackground:
        leaving = trio.Event()

        async def main(ready: Callable[[], None]) -> None:
            ready()
            await leaving.wait()
            raise ConfigurationError("the disk is full")

        return InBackground("test", main, leaving.set)

    with pytest.raises(ConfigurationError, match="the disk is full"), failing():
        pass
    with pytest.raises(KeyError), failing():
        raise KeyError


@pytest.mark.parametrize("error", [ConfigurationError, KeyboardInterrupt, None])
def test_the_scratch_folder_goes_with_the_main_function(error: type[BaseException] | None) -> None:
    scratch = open_scratch("swarm-test-")
    (Path(scratch.name) / "copy").write_text("large")
    leaving = trio.Event()

    async def main(ready: Callable[[], None]) -> None:
        ready()
        await leaving.wait()
        if error is not None:
            raise error

    running = InBackground("test", main, leaving.set, scratch)
    running.stop()

    assert not Path(scratch.name).exists()


def test_a_thread_that_nobody_stops_ends_with_the_interpreter(tmp_path: Path) -> None:
    program = """
import sys, trio
from pathlib import Path
from swarm.peer.host.trio_thread import InBackground, open_scratch
leaving = trio.Event()
async def main(ready):
    ready()
    await leaving.wait()
    Path(sys.argv[1]).write_text("said goodbye")
scratch = open_scratch("swarm-test-")
Path(sys.argv[2]).write_text(scratch.name)
forgotten = InBackground("test", main, leaving.set, scratch)
"""
    said, name = tmp_path / "said", tmp_path / "name"

    subprocess.run([sys.executable, "-c", program, str(said), str(name)], check=True)

    assert said.read_text() == "said goodbye"
    assert not Path(name.read_text()).exists()
