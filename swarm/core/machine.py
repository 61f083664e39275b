"""The sans-IO contract of the deciding packages: events in, effects out, time as an argument."""

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
    """The timer with this name is due."""

    name: str


@dataclass(frozen=True, slots=True)
class SetTimer(Effect):
    """Fire the timer `name` at `due_s`; replaces an earlier timer of the same name."""

    name: str
    due_s: float


class Machine(Protocol):
    """A deterministic state machine; only `handle` changes it."""

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event and return the effects that follow, in order.

        Args:
            event: What happened. Unknown and stale events are ignored, never raised on.
            now_s: Seconds on the driver's monotonic clock; it never goes back.
        """
        ...
