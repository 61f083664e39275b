"""WorkerRole: this peer as a worker: the slots it offers, the leases it takes, what it reports."""

from dataclasses import replace

from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search import effects, messages
from swarm.search.coordinators import Coordinators
from swarm.search.held_trials import HeldTrials
from swarm.search.ledger_writer import LedgerWriter
from swarm.search.study_blobs import StudyBlobs
from swarm.search.study_ledger import Asked


class WorkerRole:
    """Takes trials from the coordinator it follows, and from no other peer.

    Invariant: offers no slots until the study's data is here.
    """

    def __init__(
        self,
        me: PeerId,
        coordinators: Coordinators,
        held_trials: HeldTrials,
        blobs: StudyBlobs,
        writer: LedgerWriter,
    ) -> None:
        self.slots = 0
        """Number of trials this peer can run at a time."""
        self._me = me
        self._study = writer.ledger.spec.id
        self._coordinators = coordinators
        self._held_trials = held_trials
        self._blobs = blobs
        self._writer = writer

    def heartbeat(self, has: tuple[int, int], *, may_coordinate: bool) -> messages.WorkerHeartbeat:
        """This peer's heartbeat as a worker.

        Args:
            has: Length and checksum of the ledger here.
            may_coordinate: Whether this peer could run the strategy.
        """
        return messages.WorkerHeartbeat(
            self._study,
            self._me,
            self._coordinators.term,
            self.slots if self._blobs.data_is_here else 0,
            may_coordinate and self.slots > 0,
            self._held_trials.ids,
            *has,
        )

    def fetch_data(self, now_s: float) -> list[Effect]:
        """Fetch the study's data if this peer runs trials."""
        if not self.slots:
            return []
        members = (self._coordinators.coordinator, *self._coordinators.members)
        return self._blobs.fetch_data(members, now_s)

    def take_leases(self, message: messages.Leases) -> list[Effect]:
        """Begin the trials that the coordinator leases to this peer."""
        ledger = self._writer.ledger
        is_followed = self._coordinators.is_coordinator(message.sender, message.term)
        if ledger.closed is not None or not is_followed:
            return []
        mine = [lease for lease in message.leases if lease.trial.study == self._study]
        asked: list[Effect] = []
        for lease in mine:  # should the coordinator die now, this peer knows the trial
            asked += self._writer.append(Asked(lease.trial))
        return asked + self._held_trials.take_leases(mine, ledger)

    def take_stop(self, message: messages.StopTrials) -> list[Effect]:
        """Prune the trials that the strategy stopped, as the coordinator says."""
        if self._coordinators.is_coordinator(message.sender, message.term):
            return self._held_trials.prune(message.trials)
        return []

    def take_report(self, event: effects.TrialReported) -> list[Effect]:
        """Keep the report of a trial that runs here, and its checkpoint."""
        if event.report.trial not in self._held_trials.ids:
            return []
        report = replace(event.report, peer=self._me)
        self._held_trials.take_report(report)
        return self._blobs.keep_checkpoint(report)

    def take_result(self, event: effects.TrialFinished) -> list[Effect]:
        """Keep the result of a trial that ran here."""
        self._held_trials.take_result(replace(event.result, peer=self._me))
        return []
