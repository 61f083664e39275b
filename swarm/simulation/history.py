"""History: every event as it was delivered, to be printed or compared."""

from typing import NamedTuple

from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event


class HistoryEntry(NamedTuple):
    """One event as it was delivered, and the effects that followed."""

    now_s: float
    peer: PeerId
    event: Event
    effects: list[Effect]
