"""Worker: this peer as one that runs trials: what it offers, is lent, and tells of them."""

from dataclasses import replace

from swarm.core.ids import PeerId
from swarm.search import effects, messages
from swarm.search.coordinators import Standing
from swarm.search.leased_trials import Working
from swarm.search.recording import Recording
from swarm.search.study_blobs import StudyBlobs
from swarm.search.study_ledger import Asked, Ledger


class Worker:
    """Takes trials from the proposer it follows, and from nobody else.

    Invariant: offers no slots until the study's data are here.
    """

    def __init__(
        self,
        me: PeerId,
        ledger: Ledger,
        standing: Standing,
        working: Working,
        blobs: StudyBlobs,
        recording: Recording,
    ) -> None:
        self.slots = 0
        """Trials this peer can run at a time."""
        self._me = me
        self._ledger = ledger
        self._spec = ledger.spec
        self._standing = standing
        self._working = working
        self._blobs = blobs
        self._recording = recording

    def beat(self, has: tuple[int, int], *, may_propose: bool) -> messages.WorkerBeat:
        """What the proposer should know of this peer.

        Args:
            has: Length and checksum of the ledger here.
            may_propose: Whether this peer could run the strategy.
        """
        return messages.WorkerBeat(
            self._spec.id,
            self._me,
            self._standing.term,
            self.slots if self._blobs.data_is_here else 0,
            may_propose and self.slots > 0,
            self._working.held,
            *has,
        )

    def fetch_data(self, now_s: float) -> None:
        """Get the study's data if there is anything to do with them here."""
        if self.slots:
            members = (self._standing.proposer, *self._standing.members)
            self._blobs.fetch_data(members, now_s)

    def take_leases(self, message: messages.Leases) -> None:
        """Begin with trials that the proposer lends."""
        is_over = self._ledger.closed is not None
        if is_over or not self._standing.is_proposer(message.sender, message.term):
            return
        mine = [lease for lease in message.leases if lease.trial.study == self._spec.id]
        for lease in mine:
            self._recording.append(Asked(lease.trial))  # should its proposer die now, we know it
        self._working.take(mine, self._ledger)

    def take_stop(self, message: messages.StopTrials) -> None:
        """Prune the trials that the proposer says are not worth going on with."""
        if self._standing.is_proposer(message.sender, message.term):
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
