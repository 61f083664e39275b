"""Recording: what follows when an entry is taken into the ledger here."""

from collections.abc import Callable

from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search.coordinators import Coordinators
from swarm.search.effects import Note, SaveEntries
from swarm.search.leased_trials import Working
from swarm.search.study_blobs import StudyBlobs
from swarm.search.study_ledger import Closed, Entry, Recorded, Reported, StudyLedger


class Recording:
    """Saves what is new in the ledger, and lets go of what that ends.

    Invariant: every entry taken in is asked to be saved, before anything else is.
    """

    def __init__(
        self,
        me: PeerId,
        ledger: StudyLedger,
        coordinators: Coordinators,
        working: Working,
        blobs: StudyBlobs,
        emit: Callable[[Effect], None],
    ) -> None:
        self._me = me
        self._ledger = ledger
        self._coordinators = coordinators
        self._working = working
        self._blobs = blobs
        self._emit = emit

    def append(self, entry: Entry) -> bool:
        """Take in an entry; return whether it is news."""
        if not self._ledger.add(entry):
            return False
        self.took(entry)
        return True

    def took(self, entry: Entry) -> None:
        """Do what follows from an entry that is in the ledger now."""
        self._emit(SaveEntries((entry,)))
        match entry:
            case Recorded(result):
                self._working.recorded(result.trial)
                self._blobs.forget(result.trial)
            case Reported(report) if report.trial not in self._ledger.results:
                if self._me in {
                    self._coordinators.coordinator,
                    report.peer,
                    *self._coordinators.standbys(1),
                }:
                    self._blobs.keep_checkpoint(report)
            case Closed():
                self._working.drop_all()
                self._blobs.forget_all()
                text = f"{entry.reason}: {entry.error}" if entry.error else entry.reason
                self._emit(Note("closed", text))
