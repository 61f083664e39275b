"""One life of a child process after another, with small programs in place of workers."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import pytest
import trio

from swarm.peer.processes.learner_frames import FRAMING, CancelTraining, Message
from swarm.peer.processes.pipes import PipedProcess
from swarm.peer.processes.process_life import ProcessLife, RestartedProcess

pytestmark = pytest.mark.trio


class EchoLife(ProcessLife[Message]):
    """Keeps what the process sends."""

    name = "the echo"
    said = "echo said"

    def __init__(self, *command: str) -> None:
        super().__init__(FRAMING, PipedProcess(None, None, command), None)
        self.received: list[Message] = []
        self.arrived = trio.Event()
        self.over = trio.Event()

    def take(self, message: Message) -> None:
        self.received.append(message)
        self.arrived.set()

    def end(self) -> None:
        self.over.set()


NewProcess = Callable[..., RestartedProcess[EchoLife]]


@pytest.fixture
async def new_process() -> AsyncIterator[NewProcess]:
    async with trio.open_nursery() as nursery:
        yield lambda *command: RestartedProcess(nursery, lambda: EchoLife(*command))
        nursery.cancel_scope.cancel()


async def test_messages_go_both_ways(new_process: NewProcess) -> None:
    life = await new_process("cat").start()

    life.send(CancelTraining(7))
    await life.arrived.wait()

    assert life.received == [CancelTraining(7)]


async def test_after_a_death_another_process_can_be_started(new_process: NewProcess) -> None:
    process = new_process("cat")
    life = await process.start()
    await life.process.running.wait()
    assert process.pid is not None

    os.kill(process.pid, signal.SIGKILL)
    await life.over.wait()
    assert (process.life, process.pid, life.died) == (None, None, True)
    again = await process.start()

    assert process.life is again
    assert process.restarts == 1


async def test_the_exit_reason_has_code_and_last_lines_of_stderr(new_process: NewProcess) -> None:
    life = await new_process("sh", "-c", "echo one >&2; echo two >&2; exit 3").start()

    await life.over.wait()

    assert life.exit_reason() == "the echo ended with code 3; it said: one; two"


async def test_a_process_finds_modules_beside_the_users_script(
    new_process: NewProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", ["/the/script", *sys.path])
    monkeypatch.setenv("PYTHONPATH", "/given")
    life = await new_process("sh", "-c", "echo $PYTHONPATH >&2; exit 3").start()

    await life.over.wait()

    assert life.exit_reason().endswith("it said: /the/script:/given")


async def test_a_process_that_closes_stdout_and_stays_is_ended(new_process: NewProcess) -> None:
    life = await new_process("sh", "-c", "exec sleep 600 >&-").start()

    await life.over.wait()

    assert life.died
    assert life.process.returncode == -signal.SIGTERM


async def test_a_process_that_is_cancelled_is_gone_and_has_not_died(
    new_process: NewProcess,
) -> None:
    life = await new_process("cat").start()
    await life.process.running.wait()

    life.scope.cancel()
    await life.over.wait()

    assert not life.died
    assert life.process.returncode is not None
