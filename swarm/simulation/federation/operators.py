"""Operators: give the commands of a plan, as a dashboard does."""

from collections.abc import Callable, Iterable

from swarm.commanding.commands import VALID_FOR_S, Command, RelayedCommands
from swarm.core.ids import SessionId
from swarm.simulation.clock import Clock
from swarm.simulation.faults import ScheduledCommand

PUBLISHED_TIMES = 4
REPEATED_EVERY_S = 2.0


class Operators:
    """Publishes each command a few times; each may be lost."""

    def __init__(
        self, session: SessionId, clock: Clock, publish: Callable[[RelayedCommands], None]
    ) -> None:
        self.ordered: list[tuple[float, Command]] = []
        """Commands given so far, and when."""
        self._session = session
        self._clock = clock
        self._publish = publish

    def begin(self, orders: Iterable[ScheduledCommand]) -> None:
        """See to it that each is given in time."""
        for order in orders:
            self._clock.at(order.at_s, self._order, order)

    def _order(self, order: ScheduledCommand) -> None:
        command = Command(
            scope=self._session,
            author=order.operator,
            sequence=len(self.ordered) + 1,
            action=order.action,
            expires_unix_s=self._clock.now_s + VALID_FOR_S,
            subject=order.subject,
        )
        orders = RelayedCommands(self._session, order.operator, (command,))
        self.ordered.append((self._clock.now_s, command))
        for k in range(PUBLISHED_TIMES):
            self._clock.after(k * REPEATED_EVERY_S, self._publish, orders)
