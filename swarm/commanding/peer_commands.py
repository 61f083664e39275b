"""PeerCommands: hears, obeys and relays operators' commands to peers.

Commands to a session travel with that session. Commands to peers must also reach peers without a
session. So each peer listens on one topic. It publishes a new command there a few times, and sends
the commands in force to each peer that connects. The operator's own peer does the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from swarm.commanding.commands import ALL_PEERS, Command, RelayedCommands
from swarm.commanding.registers import CommandRegisters, RefusedCommandError
from swarm.core.effects import PeerConnected, Publish, Send, Subscribe
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.core.protocol import PROTOCOL_VERSION

PEERS_TOPIC = f"swarm/{PROTOCOL_VERSION}/peers"
"""Topic of commands to peers; all peers listen to it."""
REPEAT = "peer-commands.repeat"
REPEAT_EVERY_S = 2.0
REPEATS = 3
"""Number of times that a new command is published again."""
PEERS_MAX = 64
"""Most single peers whose commands are relayed, besides commands to this peer and to all."""


@dataclass(frozen=True, slots=True)
class SaveCommands(Effect):
    """Save these commands, before they have any effect."""

    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Obey(Effect):
    """Do what an operator commands this peer."""

    command: Command


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """The peer has started; carries the commands that were in force in an earlier life."""

    commands: tuple[Command, ...]
    unix_s: float
    """The time now, in seconds since 1970."""


class PeerCommands:
    """Obeys commands to this peer and to all peers, and relays commands to other peers.

    Invariants:
        Obeys and relays only commands of trusted operators, signed and not expired.
        Obeys each command once, and once more after a restart if it is still in force.
        Of two commands about one session the greater counts.
    """

    def __init__(self, me: PeerId, operators: Iterable[PeerId] = ()) -> None:
        self._me = me
        self._operators = tuple(operators)
        self._mine = self._registers(me, ALL_PEERS)
        self._others: dict[str, CommandRegisters] = {}
        self._offset_s = 0.0
        self._repeats_left = 0

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine.Machine.handle`."""
        handler = _HANDLERS.get(type(event))
        return handler(self, event, now_s) if handler is not None else []

    def _on_resumed(self, event: Resumed, now_s: float) -> list[Effect]:
        self._offset_s = event.unix_s - now_s
        self._mine.resume(event.commands)
        return [Subscribe(PEERS_TOPIC), *map(Obey, self._mine.commands)]

    def _on_commands(self, event: RelayedCommands, now_s: float) -> list[Effect]:
        registers = self._registers_of(event.scope)
        if registers is None:
            return []
        news = [c for c in event.commands if self._take(registers, c, now_s + self._offset_s)]
        if not news:
            return []
        effects: list[Effect] = []
        if registers is self._mine:
            effects = [SaveCommands(self._mine.commands), *map(Obey, news)]
        is_timer_set, self._repeats_left = self._repeats_left > 0, REPEATS
        timer = [] if is_timer_set else [SetTimer(REPEAT, now_s + REPEAT_EVERY_S)]
        return [*effects, *self._publish(), *timer]

    def _on_connected(self, event: PeerConnected, _now_s: float) -> list[Effect]:
        return [Send(event.peer, relayed) for relayed in self._relayed()]

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name != REPEAT or not self._repeats_left:
            return []
        self._repeats_left -= 1
        again = [SetTimer(REPEAT, now_s + REPEAT_EVERY_S)] if self._repeats_left else []
        return [*self._publish(), *again]

    def _registers(self, *scopes: str) -> CommandRegisters:
        return CommandRegisters(*scopes, trusted=self._operators, of_peers=True)

    def _registers_of(self, scope: str) -> CommandRegisters | None:
        if scope in (self._me, ALL_PEERS):
            return self._mine
        if scope not in self._others and len(self._others) < PEERS_MAX:
            return self._registers(scope)
        return self._others.get(scope)

    def _take(self, registers: CommandRegisters, command: Command, unix_s: float) -> bool:
        try:
            is_news = registers.take(command, unix_s)
        except RefusedCommandError:  # counted by the registers; not relayed
            return False
        if is_news and registers is not self._mine:
            self._others[command.scope] = registers
        return is_news

    def _publish(self) -> list[Effect]:
        return [Publish(PEERS_TOPIC, relayed) for relayed in self._relayed()]

    def _relayed(self) -> list[RelayedCommands]:
        """The commands in force, one message for each scope."""
        by_scope: dict[str, list[Command]] = {}
        for registers in (self._mine, *self._others.values()):
            for command in registers.commands:
                by_scope.setdefault(command.scope, []).append(command)
        return [RelayedCommands(scope, self._me, tuple(c)) for scope, c in by_scope.items()]


_HANDLERS: dict[type[Event], Callable[..., list[Effect]]] = {
    Resumed: PeerCommands._on_resumed,
    RelayedCommands: PeerCommands._on_commands,
    PeerConnected: PeerCommands._on_connected,
    TimerFired: PeerCommands._on_timer,
}
