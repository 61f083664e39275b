"""The sans-IO contract: events in, effects out, time as an argument."""

from dataclasses import dataclass
from typing import Protocol


class Event:
    """Something that happened. Subclasses are frozen dataclasses."""

    __slots__ = ()


class Effect:
    """Something the driver must do. Subclasses are frozen dataclasses."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class TimerFired(Event):
    """The timer of this name reached its due time."""

    name: str


@dataclass(frozen=True, slots=True)
class SetTimer(Effect):
    """Fire `name` at `due_s`; replaces any earlier timer of that name."""

    name: str
    due_s: float


class Machine(Protocol):
    """A deterministic state machine; the only way in is `handle`."""

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event and return what must follow, in order.

        Args:
            event: What happened. Unknown and stale events are ignored, never raised on.
            now_s: Seconds on the driver's monotonic clock; never goes back.
        """
        ...
