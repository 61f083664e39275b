"""LostLeases: what follows when leases are lost: trials wait again, poison trials are given up.

A poison trial ends every process that runs it, by using up the machine's memory for example.
Without a limit it would take down one peer after another. A worker that is lost holds many trials,
and only those that it was running can be the cause. Workers begin trials about in the order of
their leases, so the first leases, as many as the worker has slots, may have been running. Each of
them gets a `Lost` entry in the ledger, where it outlives the coordinator. A trial with
`LOSSES_MAX` (5) losses is recorded as failed.

A loss counts only when the worker, and not the coordinator, seems to be at fault: not when the
worker said goodbye, and not when the coordinator hears no other worker either.
"""

from collections.abc import Iterable

from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search.effects import Note
from swarm.search.lease_book import LeaseBook, LeasedTrial
from swarm.search.study_ledger import LOSSES_MAX, Lost, StudyLedger
from swarm.search.term_ledger import TermLedger
from swarm.search.trial import Trial, failed


class LostLeases:
    """Puts lost trials back, and gives up those that were lost too often."""

    def __init__(
        self, me: PeerId, ledger: StudyLedger, leases: LeaseBook, record: TermLedger
    ) -> None:
        self._me = me
        self._ledger = ledger
        self._leases = leases
        self._record = record

    def put_back(self, lost: Iterable[LeasedTrial], *, blamed: bool = True) -> list[Effect]:
        """Let the trials of lost leases wait again.

        Args:
            lost: The leases, in the order in which they were given.
            blamed: Whether a trial may be the reason for the loss.
        """
        if self._ledger.closed is not None:
            return []  # workers that know that the study is over release their trials
        effects: list[Effect] = []
        for leased in reversed(list(lost)):
            trial = leased.trial
            if trial.id in self._ledger.results:
                continue
            effects.append(Note("expired", f"{trial.id} of {leased.worker}"))
            self._leases.put_back(leased)
            losses = self._ledger.losses.get(trial.id, {})
            free = [number for number in range(1, LOSSES_MAX + 1) if number not in losses]
            if blamed and leased.may_have_run and free:
                effects += self._record.record(Lost(trial.id, free[0], leased.worker))
            effects += self._give_up_poison_trial(trial)
        return effects

    def adopt_orphans(self) -> list[Effect]:
        """Let trials wait that were leased in an earlier term and that no worker holds now."""
        effects: list[Effect] = []
        for trial in self._leases.add_waiting(self._ledger.open_trials):
            effects.append(Note("orphaned", trial.id))
            effects += self._give_up_poison_trial(trial)
        return effects

    def _give_up_poison_trial(self, trial: Trial) -> list[Effect]:
        """Record a waiting trial as failed if it was lost with too many workers."""
        losses = self._ledger.losses.get(trial.id, {})
        if len(losses) >= LOSSES_MAX:
            text = f"lost with {LOSSES_MAX} workers, the last was {losses[LOSSES_MAX]}"
            return self._record.record_result(failed(trial.id, text, 0.0, self._me))
        return []
