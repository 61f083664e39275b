"""Broker: messages by topic; of each group one member gets each, again until it acknowledges."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a member of a group wants to get."""

    topics: Sequence[str]
    group: str
    """Members of one group share the messages; each group gets all."""
    prefetch: int
    """Most messages that are delivered and not yet acknowledged."""

    def __post_init__(self) -> None:
        if self.prefetch < 1:
            raise ValueError(f"prefetch must be at least 1, got {self.prefetch}")


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A message, to be acknowledged or rejected."""

    topic: str
    body: bytes
    token: Any
    """The broker's own mark of this delivery."""


class Broker(Protocol):
    """A connection to a broker, restored by itself when it is lost.

    Delivery is at least once: what was not acknowledged when its receiver died, or lost the
    connection, is delivered again, to whichever member of the group.
    """

    async def prepare(self, topics: Sequence[str], group: str) -> None:
        """Have the broker keep for `group` whatever is published to `topics` from now on."""
        ...

    async def forget(self, topics: Sequence[str], group: str) -> None:
        """Undo `prepare`: the group is no more."""
        ...

    async def publish(self, topic: str, body: bytes) -> None:
        """Return once the broker has the message; waits while it cannot be reached."""
        ...

    async def receive(self) -> Delivery:
        """Wait for the next message of the subscription."""
        ...

    def receive_waiting(self) -> list[Delivery]:
        """The messages that are here already, perhaps none."""
        ...

    def acknowledge(self, delivery: Delivery) -> None:
        """Say that a message is dealt with.

        One that was delivered before the connection was lost comes again all the same.
        """
        ...

    def reject(self, delivery: Delivery) -> None:
        """Say that a message cannot be dealt with, by anybody; it is not delivered again."""
        ...
