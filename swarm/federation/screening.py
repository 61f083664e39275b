"""Screening: rejects what breaks a rule or fails a gate, and counts it against its author."""

from swarm.core.machine import Effect, Event
from swarm.federation.branches import Mergeable
from swarm.federation.effects import Combined, Note
from swarm.federation.messages import Contribution
from swarm.federation.records import Aggregate, GlobalModel
from swarm.federation.shared_state import SharedState
from swarm.federation.validity import InvalidRecordError
from swarm.federation.violations import Violations

_WORDS: dict[type[Event], str] = {
    GlobalModel: "a model",
    Aggregate: "a combination",
    Contribution: "the work",
}


class Screening:
    """Counts violations against the author of a record, never against a peer that passed it on."""

    def __init__(self, shared: SharedState) -> None:
        self.rejections = 0
        """Number of messages, records and contributions rejected."""
        self.violations = Violations()
        self._shared = shared

    def count(self, number: int) -> None:
        """Count this many rejections."""
        self.rejections += number

    def reject(self, event: Event, error: InvalidRecordError, now_s: float) -> list[Effect]:
        """Count an invalid record against its author, not against the peer that passed it on."""
        self.count(1)
        match event:
            case GlobalModel(author=peer) | Aggregate(author=peer) | Contribution(peer=peer):
                what = _WORDS[type(event)]
                note = Note("rejected", f"{what} of {peer} broke a rule: {error}", peer)
                return [note, *self.violations.count(peer, str(error), now_s)]
            case _:
                return [Note("rejected", f"a message broke a rule: {error}")]

    def blame(self, event: Combined, now_s: float) -> list[Effect]:
        """Count inputs that failed a gate against the peers that sent them.

        Only contributions: an aggregate holds the work of others, and its author may be honest.
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
