"""Broker: messages by topic; one member of each group gets a message and acknowledges it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from swarm.peer.processes.pipes import Log


class InfoLog(Log, Protocol):
    """The part of a structlog logger that broker workers need."""

    def info(self, event: str, **fields: Any) -> Any:
        """Log something for users."""
        ...


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a member of a group wants to receive."""

    topics: Sequence[str]
    group: str
    """The members of a group share the messages; each group gets all messages."""
    prefetch: int
    """Most messages that are delivered and not acknowledged yet."""

    def __post_init__(self) -> None:
        if self.prefetch < 1:
            raise ValueError(f"prefetch must be at least 1, got {self.prefetch}")


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A message, to be acknowledged or rejected."""

    topic: str
    body: bytes
    token: Any
    """The broker's own mark for this delivery."""


class Broker(Protocol):
    """A connection to a broker; a lost connection is restored.

    Messages are delivered at least once. If a receiver dies or loses the connection before it
    acknowledges a message, any member of the group gets the message again.
    """

    async def prepare(self, topics: Sequence[str], group: str) -> None:
        """Make the broker keep what is published to `topics` from now on, for `group`."""
        ...

    async def forget(self, topics: Sequence[str], group: str) -> None:
        """Undo `prepare`: the group has ended."""
        ...

    async def publish(self, topic: str, body: bytes) -> None:
        """Return once the broker has the message; wait while it cannot be reached."""
        ...

    async def receive(self) -> Delivery:
        """Wait for the next message of the subscription."""
        ...

    def receive_waiting(self) -> list[Delivery]:
        """The messages that have arrived already, perhaps none."""
        ...

    def acknowledge(self, delivery: Delivery) -> None:
        """Say that a message is done.

        A message that was delivered before the connection was lost comes again nevertheless.
        """
        ...

    def reject(self, delivery: Delivery) -> None:
        """Say that no receiver can use a message; it is not delivered again."""
        ...
