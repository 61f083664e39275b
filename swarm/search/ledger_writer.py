"""LedgerWriter: adds entries to the ledger here; returns what follows from each."""

from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search.coordinators import Coordinators
from swarm.search.effects import Note, SaveEntries
from swarm.search.held_trials import HeldTrials
from swarm.search.study_blobs import StudyBlobs
from swarm.search.study_ledger import Closed, Entry, Recorded, Reported, StudyLedger


class LedgerWriter:
    """Saves what is new in the ledger, and releases the trials and blobs it ends.

    Invariant: a request to save an entry comes before everything that follows from the entry.
    """

    def __init__(
        self,
        me: PeerId,
        ledger: StudyLedger,
        coordinators: Coordinators,
        held_trials: HeldTrials,
        blobs: StudyBlobs,
    ) -> None:
        self.ledger = ledger
        self._me = me
        self._coordinators = coordinators
        self._held_trials = held_trials
        self._blobs = blobs

    def append(self, entry: Entry) -> list[Effect]:
        """Add an entry; return what follows, which is nothing if the ledger did not take it."""
        return self.follow_up(entry) if self.ledger.add(entry) else []

    def follow_up(self, entry: Entry) -> list[Effect]:
        """Return what follows from an entry that is in the ledger now."""
        effects: list[Effect] = [SaveEntries((entry,))]
        match entry:
            case Recorded(result):
                effects += self._held_trials.release(result.trial)
                effects += self._blobs.forget_trial(result.trial)
            case Reported(report) if report.trial not in self.ledger.results:
                keepers = {self._coordinators.coordinator, *self._coordinators.standbys(1)}
                if self._me in {report.peer, *keepers}:
                    effects += self._blobs.keep_checkpoint(report)
            case Closed():
                effects += self._held_trials.release_all()
                effects += self._blobs.forget_all_trials()
                text = f"{entry.reason}: {entry.error}" if entry.error else entry.reason
                effects.append(Note("closed", text))
        return effects
