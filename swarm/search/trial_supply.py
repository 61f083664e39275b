"""TrialSupply: asks the strategy for trials and leases them to the workers, until the study ends.

Most strategies answer in microseconds. They are asked as soon as a worker has a vacancy, at most
`ASKS_AT_ONCE_MAX` times in one event.

A slow strategy, such as the Bayesian one, takes milliseconds for each trial. Asking it within
another event would delay every message that waits to be sent or received. So it is asked in
events of its own, `ASKS_IN_A_ROW` times in each. The asking waits until `ASKS_TOGETHER` trials
are wanted, or until a worker has finished half of its trials: a strategy that was just asked
answers faster, and by then it knows more results. Its leases share messages, `LEASES_TOGETHER` in
one, while their worker has enough to do.
"""

import math
from collections import Counter

from swarm.core.effects import Send
from swarm.core.errors import StrategyError
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search import messages
from swarm.search.batches import batches
from swarm.search.effects import Note
from swarm.search.lease_book import DEPTH_MIN, LeaseBook
from swarm.search.strategies.strategy import Strategy
from swarm.search.study_blobs import StudyBlobs
from swarm.search.study_ledger import DONE, Asked, StudyLedger
from swarm.search.term_ledger import TermLedger
from swarm.search.trial import Trial
from swarm.search.worker_role import WorkerRole

ASKS_AT_ONCE_MAX = 16
ASKS_IN_A_ROW = 2
"""Trials that a slow strategy is asked for in one event."""
ASKS_TOGETHER = 8
"""A slow strategy is asked once this many trials are wanted, unless a worker needs one."""
LEASES_TOGETHER = 8
"""This many leases of a slow strategy are worth a message of their own."""


class TrialSupply:
    """Keeps the workers supplied with trials, in one coordinator's term.

    Invariant: a trial is in the ledger before it is leased.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what a supply draws on)
        self,
        me: PeerId,
        term: int,
        ledger: StudyLedger,
        strategy: Strategy,
        leases: LeaseBook,
        record: TermLedger,
        blobs: StudyBlobs,
        own_worker: WorkerRole,
    ) -> None:
        self.is_behind = False
        """Whether the strategy should be asked for more trials at once."""
        self.began_s = 0.0
        """When the study began, on the clock of this peer."""
        self._me = me
        self._term = term
        self._ledger = ledger
        self._spec = ledger.spec
        self._strategy = strategy
        self._leases = leases
        self._record = record
        self._blobs = blobs
        self._own_worker = own_worker
        self._unsent: dict[PeerId, list[Trial]] = {}
        """Leased trials whose leases are still to be sent."""
        self._is_exhausted = False
        self._has_asked = False

    def lease_more(self, now_s: float, asks_max: int | None = None) -> list[Effect]:
        """Lease as many trials as the workers should have, and end a study that has no more.

        Args:
            now_s: Now.
            asks_max: Most trials to ask for; None outside a slow strategy's own events.
        """
        goes_on = asks_max is not None
        if asks_max is None:
            asks_max = 0 if self._strategy.is_slow else ASKS_AT_ONCE_MAX
        self.is_behind = False
        if self._ledger.closed is not None:
            return []
        effects: list[Effect] = []
        num_asked = 0
        falls_short = False
        vacancies = self._leases.vacancies(self._num_left(now_s))
        for peer in vacancies:
            trial = self._leases.take_waiting(peer, self._ledger.losses)
            if trial is None and num_asked < asks_max:
                num_asked += 1
                effects += self._ask(now_s)
                trial = self._leases.take_waiting(peer, self._ledger.losses)
            if trial is not None:
                self._leases.lease(trial, peer, now_s)
                self._unsent.setdefault(peer, []).append(trial)
                continue
            falls_short = True
            if not self._leases.waiting:
                break
        if falls_short and num_asked == asks_max:
            pays = goes_on or not self._strategy.is_slow or self._is_time_to_ask(vacancies)
            self.is_behind = pays and self._may_ask(now_s)
        effects += self._send_what_is_due()
        if not self._may_ask(now_s) and len(self._ledger.results) >= len(self._ledger.trials):
            effects += self._record.close(DONE)
        return effects

    def send_unconfirmed_again(self, now_s: float) -> list[Effect]:
        """Send leases again that their workers should have confirmed by now."""
        effects: list[Effect] = []
        for leased in self._leases.unconfirmed(now_s):
            effects += self._send_leases(leased.worker, [leased.trial])
        return effects

    def forget_worker(self, peer: PeerId) -> None:
        """Send nothing more to a worker that is gone."""
        self._unsent.pop(peer, None)

    def _ask(self, now_s: float) -> list[Effect]:
        """Ask the strategy for one more trial, which then waits to be leased."""
        if not self._may_ask(now_s):
            return []
        effects: list[Effect] = []
        if not self._has_asked:
            self._has_asked = True
            effects.append(Note("asks", f"the first trial of term {self._term}"))
        try:
            suggested = self._strategy.ask(self._ledger)
        except StrategyError as error:
            return effects + self._record.fail(error)
        if suggested is None:
            self._is_exhausted = True
            return effects
        number, model, params = self._ledger.next_number, suggested.model, suggested.params
        trial = Trial(self._spec.id, number, model, params, self._term, self._me)
        effects += self._record.record(Asked(trial))
        if self._ledger.closed is None:
            self._leases.add_waiting([trial])
        return effects

    def _may_ask(self, now_s: float) -> bool:
        spec = self._spec
        if self._ledger.closed is not None or self._is_exhausted:
            return False
        if spec.num_trials and len(self._ledger.trials) >= spec.num_trials:
            return False
        return not spec.time_budget_s or now_s - self.began_s < spec.time_budget_s

    def _num_left(self, now_s: float) -> float:
        """Number of trials still to be leased; infinite if unknown."""
        waiting = len(self._leases.waiting)
        if not self._may_ask(now_s):
            return waiting
        if self._spec.num_trials:
            return waiting + self._spec.num_trials - len(self._ledger.trials)
        return math.inf

    def _is_time_to_ask(self, vacancies: list[PeerId]) -> bool:
        """Whether several trials are wanted, or a worker has finished half of its trials."""
        if len(vacancies) >= ASKS_TOGETHER:
            return True
        workers = self._leases.workers
        return any(
            self._leases.num_leased(peer) < max(DEPTH_MIN * workers[peer].slots, num_wanted)
            for peer, num_wanted in Counter(vacancies).items()
        )

    def _send_what_is_due(self) -> list[Effect]:
        """Send leases, but let those of a busy worker wait for more to share their message."""
        effects: list[Effect] = []
        for peer, leased in list(self._unsent.items()):
            trials = [trial for trial in leased if self._leases.holds(trial.id, peer)]
            num_sent = self._leases.num_leased(peer) - len(trials)
            has_enough = num_sent >= DEPTH_MIN * self._leases.workers[peer].slots
            waits = self.is_behind and has_enough and len(trials) < LEASES_TOGETHER
            if peer == self._me or not waits:
                del self._unsent[peer]
                effects += self._send_leases(peer, trials)
        return effects

    def _send_leases(self, peer: PeerId, trials: list[Trial]) -> list[Effect]:
        effects: list[Effect] = []
        for trial in trials:
            self._leases.mark_sent(trial.id)
        for leases in batches([self._lease(trial) for trial in trials]):
            message = messages.Leases(self._spec.id, self._me, self._term, leases)
            if peer == self._me:
                effects += self._own_worker.take_leases(message)
            else:
                effects.append(Send(peer, message))
        return effects

    def _lease(self, trial: Trial) -> messages.Lease:
        attempt = self._leases.attempts[trial.id]
        report = self._ledger.checkpoint(trial.id)
        if report is None or report.checkpoint is None:
            return messages.Lease(trial, attempt)
        checkpoint = self._blobs.checkpoint_here(trial.id) or report.checkpoint
        members = self._leases.members()[: messages.MEMBERS_MAX]
        holders = tuple(dict.fromkeys((self._me, report.peer, *members)))
        return messages.Lease(trial, attempt, checkpoint, holders[: messages.HOLDERS_MAX])
