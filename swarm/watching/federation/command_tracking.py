"""CommandTracking: an operator's commands, repeated until the peers confirm them."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from swarm.commanding.commands import COMMANDS_MAX, Command, RelayedCommands
from swarm.commanding.registers import DROP_THRESHOLD, removed_by
from swarm.core.effects import Publish
from swarm.core.ids import PeerId, SessionId
from swarm.core.machine import Effect, Event
from swarm.federation.messages import Status
from swarm.federation.topics import session_topic

HEARD_MAX = 64
PARTIAL_AFTER_S = 15.0
"""After this time, peers that do not report a command probably do not trust its operator."""


@dataclass(frozen=True, slots=True)
class CommandGiven(Event):
    """The operator gives a command, already signed."""

    command: Command


@dataclass(slots=True)
class Given:
    """A command of this operator, and the peers that reported it."""

    command: Command
    unix_s: float
    confirmed_by: set[PeerId] = field(default_factory=set)
    waiting_for: set[PeerId] = field(default_factory=set)
    superseded: bool = False
    """Whether a later command about the same thing was given."""

    def state(self, unix_s: float) -> str:
        """`pending`, `confirmed`, `partial` or `expired`."""
        if self.confirmed_by and (not self.waiting_for or self.superseded):
            return "confirmed"
        if self.superseded or unix_s > self.command.expires_unix_s:
            return "partial" if self.confirmed_by else "expired"
        late = unix_s - self.unix_s > PARTIAL_AFTER_S
        return "partial" if self.confirmed_by and late else "pending"


class CommandTracking:
    """Publishes commands until the live peers report them; finds out which are in force.

    Invariants:
        A command counts as in force only if a live peer reports it.
        Remembers `COMMANDS_MAX` given commands and `HEARD_MAX` heard ones.
    """

    def __init__(self, session: SessionId, me: PeerId) -> None:
        self.given: deque[Given] = deque(maxlen=COMMANDS_MAX)
        self.removed: frozenset[PeerId] = frozenset()
        """Peers that operators removed."""
        self._session = session
        self._me = me
        self._known: dict[str, Command] = {}
        self._in_force: dict[str, Command] = {}

    @property
    def drop_threshold(self) -> float:
        """A larger fall of accuracy is an alert."""
        command = self._in_force.get("threshold")
        return command.value if command is not None and command.value else DROP_THRESHOLD

    @property
    def sequence(self) -> int:
        """The greatest sequence of any command known."""
        known = [*self._known.values(), *(g.command for g in self.given)]
        return max((c.sequence for c in known), default=0)

    def give(self, command: Command, unix_s: float) -> list[Effect]:
        """Publish a command."""
        for earlier in self.given:
            if earlier.command.register == command.register:
                earlier.superseded = True
        self.given.append(Given(command, unix_s))
        self.take(RelayedCommands(self._session, self._me, (command,)))
        return [self._publish(command)]

    def take(self, relayed: RelayedCommands) -> None:
        """Take note of commands that a peer passes on."""
        for command in relayed.commands:
            name = _name(command)
            self._known.pop(name, None)
            self._known[name] = command
            if len(self._known) > HEARD_MAX:
                del self._known[next(iter(self._known))]

    def observe(self, live: Mapping[PeerId, Status]) -> None:
        """Compare with what the live peers report."""
        reported = {name for status in live.values() for name in status.obeyed}
        in_force: dict[str, Command] = {}
        for name in reported & self._known.keys():
            command = self._known[name]
            held = in_force.get(command.register)
            if held is None or command.key > held.key:
                in_force[command.register] = command
        self._in_force = in_force
        self.removed = removed_by(in_force.values())
        for given in self.given:
            name = _name(given.command)
            given.confirmed_by |= {p for p, s in live.items() if name in s.obeyed}
            given.waiting_for = live.keys() - given.confirmed_by - {given.command.subject}

    def repeat(self, unix_s: float) -> list[Effect]:
        """Publish again the commands that are not confirmed yet."""
        return [
            self._publish(given.command)
            for given in self.given
            if not given.superseded and given.waiting_for and given.state(unix_s) == "pending"
        ]

    def _publish(self, command: Command) -> Effect:
        return Publish(
            session_topic(self._session), RelayedCommands(self._session, self._me, (command,))
        )


def _name(command: Command) -> str:
    return command.digest[:16]
