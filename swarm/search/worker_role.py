"""WorkerRole: this peer as one that runs trials: what it offers, is lent, and tells of them."""

from dataclasses import replace

from swarm.core.ids import PeerId
from swarm.search import effects, messages
from swarm.search.coordinators import Coordinators
from swarm.search.leased_trials import Working
from swarm.search.recording import Recording
from swarm.search.study_blobs import StudyBlobs
from swarm.search.study_ledger import Asked, StudyLedger


class WorkerRole:
    """Takes trials from the coordinator it follows, and from nobody else.

    Invariant: offers no slots until the study's data are here.
    """

    def __init__(
        self,
        me: PeerId,
        ledger: StudyLedger,
        coordinators: Coordinators,
        working: Working,
        blobs: StudyBlobs,
        recording: Recording,
    ) -> None:
        self.slots = 0
        """Trials this peer can run at a time."""
        self._me = me
        self._ledger = ledger
        self._spec = ledger.spec
        self._coordinators = coordinators
        self._working = working
        self._blobs = blobs
        self._recording = recording

    def heartbeat(self, has: tuple[int, int], *, may_coordinate: bool) -> messages.WorkerHeartbeat:
        """What the coordinator should know of this peer.

        Args:
            has: Length and checksum of the ledger here.
            may_coordinate: Whether this peer could run the strategy.
        """
        return messages.WorkerHeartbeat(
            self._spec.id,
            self._me,
            self._coordinators.term,
            self.slots if self._blobs.data_is_here else 0,
            may_coordinate and self.slots > 0,
            self._working.held,
            *has,
        )

    def fetch_data(self, now_s: float) -> None:
        """Get the study's data if there is anything to do with them here."""
        if self.slots:
            members = (self._coordinators.coordinator, *self._coordinators.members)
            self._blobs.fetch_data(members, now_s)

    def take_leases(self, message: messages.Leases) -> None:
        """Begin with trials that the coordinator lends."""
        is_over = self._ledger.closed is not None
        if is_over or not self._coordinators.is_coordinator(message.sender, message.term):
            return
        mine = [lease for lease in message.leases if lease.trial.study == self._spec.id]
        for lease in mine:
            self._recording.append(
                Asked(lease.trial)
            )  # should its coordinator die now, we know it
        self._working.take(mine, self._ledger)

    def take_stop(self, message: messages.StopTrials) -> None:
        """Prune the trials that the coordinator says are not worth going on with."""
        if self._coordinators.is_coordinator(message.sender, message.term):
            self._working.prune(message.trials)

    def reported(self, event: effects.TrialReported) -> None:
        """A trial that runs here has something to tell."""
        if event.report.trial in self._working.held:
            report = replace(event.report, peer=self._me)
            self._blobs.keep_checkpoint(report)
            self._working.report(report)

    def finished(self, event: effects.TrialFinished) -> None:
        """A trial that ran here is over."""
        self._working.finish(replace(event.result, peer=self._me))
