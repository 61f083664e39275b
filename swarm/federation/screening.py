"""Screening: what is turned down, and who answers for it."""

from swarm.core.machine import Effect, Event
from swarm.federation.branches import Mergeable
from swarm.federation.effects import Combined, Note
from swarm.federation.messages import Contribution
from swarm.federation.records import Aggregate, GlobalModel
from swarm.federation.shared_state import SharedState
from swarm.federation.validity import InvalidRecordError
from swarm.federation.violations import Violations


class Screening:
    """Counts what breaks a rule or fails a gate against who made it, never who passed it on."""

    def __init__(self, shared: SharedState) -> None:
        self.rejections = 0
        """Messages, records and contributions turned down."""
        self.violations = Violations()
        self._shared = shared

    def count(self, number: int) -> None:
        """Count this many rejections."""
        self.rejections += number

    def reject(self, event: Event, error: InvalidRecordError, now_s: float) -> list[Effect]:
        """Count an invalid record against who wrote it, not against who passed it on."""
        self.count(1)
        text = f"{type(event).__name__}: {error}"
        match event:
            case GlobalModel(author=peer) | Aggregate(author=peer) | Contribution(peer=peer):
                note = Note("rejected", text, peer)
                return [note, *self.violations.count(peer, str(error), now_s)]
            case _:
                return [Note("rejected", text)]

    def blame(self, event: Combined, now_s: float) -> list[Effect]:
        """Count what failed a gate against who sent it.

        Only contributions: behind an aggregate stand others, and its author may be honest.
        """
        self.count(len(event.rejected))
        current = self._shared.round
        effects: list[Effect] = []
        for source, reason in current.failed_inputs(event) if current is not None else ():
            if isinstance(source, Mergeable):
                effects += self._shared.branches.rejected(source, reason)
            elif isinstance(source, Contribution):
                effects += self.violations.count(source.peer, reason, now_s)
        return effects
