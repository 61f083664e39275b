"""HostCommands: operators' commands to peers, a workload of every host."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
import trio

from swarm.commanding.commands import ALL_PEERS, Command, RelayedCommands
from swarm.commanding.peer_commands import Obey, PeerCommands, Resumed, SaveCommands
from swarm.commanding.registers import DONE
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event
from swarm.peer.host.host import Host
from swarm.peer.host.machine_driver import MachineDriver
from swarm.peer.host.message_files import load_messages, save_messages

COMMANDS_FILE = "commands.msgpack"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Commanded(Event):
    """A trusted operator commands this; for the workload that it concerns."""

    command: Command


@asynccontextmanager
async def open_commands(
    host: Host, state_dir: Path, operators: Iterable[PeerId]
) -> AsyncIterator["HostCommands"]:
    """Obey the commands of these operators on a host until the block ends."""
    async with trio.open_nursery() as nursery:
        commands = HostCommands(host, nursery, state_dir, operators)
        host.add(commands)
        commands.start()
        yield commands
        nursery.cancel_scope.cancel()


class HostCommands:
    """Runs the machine that hears, obeys and relays commands to peers."""

    def __init__(
        self, host: Host, nursery: trio.Nursery, state_dir: Path, operators: Iterable[PeerId]
    ) -> None:
        self._host = host
        self._file = state_dir / COMMANDS_FILE
        machine = PeerCommands(host.me, operators)
        self._driver = MachineDriver("commands", machine, host, nursery, self._carry_out)

    def start(self) -> None:
        """Obey the commands that are in force since an earlier life, and listen for others."""
        saved = load_messages(self._file, self._host.me)
        commands = tuple(
            c for one in saved if isinstance(one, RelayedCommands) for c in one.commands
        )
        self._driver.handle(Resumed(commands, datetime.now(UTC).timestamp()))

    def handle(self, event: Event) -> None:
        """Hand an event to the machine."""
        self._driver.handle(event)

    def leave(self, reason: str = "") -> None:
        """Leave: commands need no goodbye."""

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case SaveCommands(commands):
                save_messages(self._file, [RelayedCommands(ALL_PEERS, self._host.me, commands)])
            case Obey(command):
                log.info(
                    DONE[command.action],
                    session=command.session,
                    detail=f"commanded by operator {command.author}",
                )
                self._host.hand_out(Commanded(command))
