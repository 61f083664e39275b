"""History: every event as it was delivered, for those who want to see or compare it."""

from typing import NamedTuple

from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event


class HistoryEntry(NamedTuple):
    """One event as it was delivered, and what followed."""

    now_s: float
    peer: PeerId
    event: Event
    effects: list[Effect]
