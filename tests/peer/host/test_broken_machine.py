"""An exception in a machine's `handle` is a bug; it ends that machine and no other."""

from pathlib import Path
from typing import Any

import pytest
import trio

from swarm.core.errors import only_error
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event
from swarm.core.session import SessionSpec
from swarm.peer.federation.session_driver import SessionDriver
from swarm.peer.federation.session_folder import SessionFolder
from swarm.peer.host.machine_driver import MachineDriver

ME = PeerId("me")


class BrokenMachine:
    """A machine with a bug."""

    spec = SessionSpec(starter=ME)
    num_events = 0

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        self.num_events += 1
        raise IndexError("a bug")


class StubHost:
    """A host that has not failed, without a network."""

    me = ME
    failure = None


async def test_a_broken_session_ends_its_own_tasks_with_the_bug(tmp_path: Path) -> None:
    machine: Any = BrokenMachine()
    host: Any = StubHost()
    learning: Any = None
    folder = SessionFolder.of(tmp_path, machine.spec.id, ME)

    async def run() -> None:
        async with trio.open_nursery() as tasks:
            driver = SessionDriver(machine, host, tasks, folder, learning)
            driver.handle(Event())
            driver.handle(Event())
            driver.say_goodbye(Event())
            await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as raised:
        await run()

    assert isinstance(only_error(raised.value), IndexError)
    assert machine.num_events == 1


async def test_a_broken_machine_of_the_host_itself_ends_the_host() -> None:
    machine: Any = BrokenMachine()
    host: Any = StubHost()
    async with trio.open_nursery() as tasks:
        driver: MachineDriver[Any] = MachineDriver("choice", machine, host, tasks)

        with pytest.raises(IndexError):
            driver.handle(Event())
