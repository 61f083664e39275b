"""Operators: they give the commands of a plan, as a dashboard does."""

from collections.abc import Callable, Iterable

from swarm.commanding.commands import VALID_FOR_S, Command, RelayedCommands
from swarm.simulation.clock import Clock
from swarm.simulation.faults import ScheduledCommand

PUBLISHED_TIMES = 4
REPEATED_EVERY_S = 2.0


class Operators:
    """Publishes each command several times, because each copy may be lost."""

    def __init__(
        self, scope: str, clock: Clock, publish: Callable[[RelayedCommands], None]
    ) -> None:
        self.given: list[tuple[float, Command]] = []
        """Commands given so far, and when."""
        self._scope = scope
        self._clock = clock
        self._publish = publish

    def schedule(self, commands: Iterable[ScheduledCommand]) -> None:
        """Give each command at its time."""
        for scheduled in commands:
            self._clock.at(scheduled.at_s, self._give, scheduled)

    def _give(self, scheduled: ScheduledCommand) -> None:
        command = Command(
            scope=scheduled.scope or self._scope,
            author=scheduled.operator,
            sequence=len(self.given) + 1,
            action=scheduled.action,
            expires_unix_s=self._clock.now_s + VALID_FOR_S,
            subject=scheduled.subject,
            session=scheduled.session,
        )
        commands = RelayedCommands(command.scope, scheduled.operator, (command,))
        self.given.append((self._clock.now_s, command))
        for k in range(PUBLISHED_TIMES):
            self._clock.after(k * REPEATED_EVERY_S, self._publish, commands)
