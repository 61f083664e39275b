"""Coordinating: asks for trials, lends them out and records what came of them, for one term."""

import math
from collections import Counter
from collections.abc import Callable, Iterable

from swarm.core.errors import StrategyError
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.search.batches import batches
from swarm.search.leases import DEPTH_MIN, LeasedTrial, Leases
from swarm.search.messages import (
    BATCH_MAX,
    MEMBERS_MAX,
    Lease,
    MissingEntries,
    StopTrials,
    WorkerHeartbeat,
    WorkerNews,
)
from swarm.search.messages import Leases as LeasesMessage
from swarm.search.strategies.strategy import Strategy
from swarm.search.study import NOBODY, StudySpec
from swarm.search.study_blobs import StudyBlobs
from swarm.search.study_ledger import (
    CANCELLED,
    DONE,
    FAILED,
    LOSSES_MAX,
    Asked,
    Closed,
    Entry,
    Lost,
    Recorded,
    Reported,
    StudyLedger,
)
from swarm.search.trial import (
    ERROR_LENGTH_MAX,
    Trial,
    TrialId,
    TrialReport,
    TrialResult,
    failed,
)

ASKS_AT_ONCE_MAX = 16
ASKS_IN_A_ROW = 2
"""Of a strategy that takes its time, in one event."""
ASKS_TOGETHER = 8
"""A strategy that takes its time is asked for no fewer, unless somebody needs one."""
HOLDERS_MAX = 8
LEASES_TOGETHER = 8
"""So many leases of a strategy that takes its time are worth a message of their own."""
GATHER_HEARTBEATS = 1.5
"""So long a new coordinator waits for what the others know before it asks for more."""


class Coordinating:
    """One coordinator's work in one term.

    Invariants:
        Nothing is asked for, lent or closed before the others were heard, or had time to be.
        A trial is lent to one worker at a time.
        Entries reach the ledger through `append` only.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what a term is made of)
        self,
        spec: StudySpec,
        me: PeerId,
        term: int,
        ledger: StudyLedger,
        strategy: Strategy,
        blobs: StudyBlobs,
        append: Callable[[Entry], bool],
        send: Callable[[PeerId, Event], None],
        note: Callable[[str, str], None],
    ) -> None:
        self.term = term
        self.is_behind = False
        """Whether more trials should be asked for at once."""
        self._spec = spec
        self._me = me
        self._ledger = ledger
        self._strategy = strategy
        self._blobs = blobs
        self._append = append
        self._send = send
        self._note = note
        self._leases = Leases(spec, me, strategy.lookahead_max)
        self._unsent: dict[PeerId, list[Trial]] = {}
        """Lent, and not told yet."""
        self._expected: set[PeerId] = set()
        self._heard_of: frozenset[PeerId] = frozenset()
        self._gave: set[PeerId] = set()
        self._gather_until_s = math.inf
        self._orphans_until_s = math.inf
        """Until then trials without a known worker are left to whom they were lent before."""
        self._patience_s = spec.lease_s + spec.heartbeat_s
        self._began_s = 0.0
        self._stopping: set[TrialId] = set()
        self._exhausted = False
        self._has_asked = False

    def begin(
        self, now_s: float, elapsed_s: float, expected: Iterable[PeerId], patient: bool
    ) -> None:
        """Begin the term.

        Args:
            now_s: Now.
            elapsed_s: How long the study has been running.
            expected: Members that may know more than we do.
            patient: Whether others may be out there that we do not know of.
        """
        self._began_s = now_s - elapsed_s
        self._expected = set(expected) - {self._me}
        self._heard_of = frozenset(self._expected)
        self._gather_until_s = now_s + GATHER_HEARTBEATS * self._spec.heartbeat_s
        self._orphans_until_s = now_s + self._patience_s
        if patient:
            self._expected.add(NOBODY)  # never answers
        try:
            for entry in self._ledger.entries:
                self._strategy.tell(entry)
        except StrategyError as error:
            self._fail(error)
            return
        if not self._expected:
            self._adopt_orphans()

    def take_heartbeat(self, heartbeat: WorkerHeartbeat, now_s: float) -> None:
        """A worker is alive and holds trials."""
        mine = (len(self._ledger), self._ledger.checksum)
        synced = (heartbeat.length, heartbeat.checksum) == mine
        self._lost(self._leases.hear(heartbeat, synced, now_s))
        for trial_id in heartbeat.held:
            trial = self._ledger.trials.get(trial_id)
            if trial is not None and trial_id not in self._ledger.results:
                self._leases.claim(trial, heartbeat.sender, now_s)
        if heartbeat.term == self.term and (synced or heartbeat.sender in self._gave):
            self._answered(heartbeat.sender)
        self._ask_more(now_s)

    def take_news(self, news: WorkerNews, now_s: float) -> None:
        """A worker reports, or is done with trials."""
        if self._ledger.closed is not None:
            return
        worker = self._leases.workers.get(news.sender)
        if worker is not None:
            worker.heard_s = now_s
        for report in news.reports:
            if self._leases.holds(report.trial, news.sender):
                self._take_report(report)
        for result in news.results:
            known = result.trial in self._ledger.trials
            if known and self._leases.may_tell(result.trial, news.sender):
                self._take_result(result)
        self._ask_more(now_s)

    def take_missing_entries(self, missing: MissingEntries, now_s: float) -> None:
        """A member knows what we lack; strangers' gifts are not taken."""
        if missing.sender not in self._leases.workers and missing.sender not in self._heard_of:
            return
        for entry in missing.entries:
            match entry:
                case Asked(trial) if self._is_plausible(trial):
                    if self._tell(entry):  # whoever has it will say so
                        due_s = now_s + self._patience_s
                        self._orphans_until_s = min(self._orphans_until_s, due_s)
                case Recorded(result):
                    self._take_result(result)
                case Reported() | Lost() | Closed():
                    self._tell(entry)
        if missing.term == self.term:
            self._gave.add(missing.sender)
        self._ask_more(now_s)

    def lose(self, peer: PeerId, now_s: float, *, left: bool) -> None:
        """A worker is gone; `left` says that it wanted to."""
        self._unsent.pop(peer, None)
        self._lost(self._leases.lose(peer), blamed=not left)
        self._answered(peer)
        self._ask_more(now_s)

    def ask_on(self, now_s: float) -> None:
        """Ask a strategy that takes its time for more trials, if any are wanted."""
        self._ask_more(now_s, asks_max=ASKS_IN_A_ROW)

    def tick(self, now_s: float) -> None:
        """Look at what time has changed."""
        if self._ledger.closed is not None:
            return
        for peer in self._leases.silent(now_s):
            self._note("lost", f"{peer} was silent for three heartbeats")
            self._unsent.pop(peer, None)
            cut_off = self._leases.is_cut_off(peer, now_s)
            self._lost(self._leases.lose(peer), blamed=not cut_off)
        if now_s >= self._gather_until_s:
            self._expected.clear()
        if now_s >= self._orphans_until_s:
            self._adopt_orphans()
        for leased in self._leases.unconfirmed(now_s):
            self._send_leases(leased.worker, [leased.trial])
        self._ask_more(now_s)

    def _fail(self, error: StrategyError) -> None:
        """End the study: who comes after us most likely has the same code."""
        self._append(Closed(FAILED, self._me, str(error)[:ERROR_LENGTH_MAX]))

    def cancel(self) -> None:
        """End the study now."""
        self._append(Closed(CANCELLED, self._me))

    def members(self) -> tuple[PeerId, ...]:
        """Who may succeed us, and we."""
        return tuple(self._leases.members())[:MEMBERS_MAX]

    def num_unsynced(self) -> int:
        """Workers whose ledgers are not known to be equal to ours."""
        others = (w for peer, w in self._leases.workers.items() if peer != self._me)
        return sum(not worker.synced for worker in others)

    def elapsed_s(self, now_s: float) -> float:
        """How long the study has been running, in all terms."""
        return now_s - self._began_s

    @property
    def workers(self) -> dict[PeerId, int]:
        """Slots by worker."""
        return {peer: worker.slots for peer, worker in self._leases.workers.items()}

    # -- the others

    def _answered(self, peer: PeerId) -> None:
        if peer in self._expected:
            self._expected.discard(peer)
            if not self._expected:
                self._adopt_orphans()  # everybody said what they have

    def _adopt_orphans(self) -> None:
        """Let trials wait that were lent out in an earlier term and that nobody has now."""
        self._orphans_until_s = math.inf
        waiting = {trial.id for trial in self._leases.waiting}
        for trial in self._ledger.open_trials:
            if not self._leases.is_leased(trial.id) and trial.id not in waiting:
                self._note("orphaned", trial.id)
                self._leases.waiting.append(trial)
                self._give_up_poison_trial(trial)

    def _is_plausible(self, trial: Trial) -> bool:
        """Bounds what a liar can make everybody try."""
        limit = self._spec.num_trials
        return trial.term <= self.term and (
            not limit or len(self._ledger.trials) < 2 * limit + BATCH_MAX
        )

    # -- leases

    def _lost(self, lost: Iterable[LeasedTrial], *, blamed: bool = True) -> None:
        if self._ledger.closed is not None:
            return  # whoever hears that the study is over lets go of its trials
        for leased in reversed(list(lost)):
            if leased.trial.id in self._ledger.results:
                continue
            self._note("expired", f"{leased.trial.id} of {leased.worker}")
            self._leases.put_back(leased)
            losses = self._ledger.losses.get(leased.trial.id, {})
            free = [number for number in range(1, LOSSES_MAX + 1) if number not in losses]
            if blamed and leased.was_next and free:
                self._tell(Lost(leased.trial.id, free[0], leased.worker))
            self._give_up_poison_trial(leased.trial)

    def _give_up_poison_trial(self, trial: Trial) -> None:
        """Record a trial that waits as failed if it was lost with too many workers."""
        losses = self._ledger.losses.get(trial.id, {})
        if len(losses) >= LOSSES_MAX:
            text = f"lost with {LOSSES_MAX} workers, the last was {losses[LOSSES_MAX]}"
            self._take_result(failed(trial.id, text, 0.0, self._me))

    def _ask_more(self, now_s: float, asks_max: int | None = None) -> None:
        """Lend out as much as the workers should have.

        A strategy that takes milliseconds is asked in events of its own, for few trials in each,
        so that everything else that waits to be sent or heard comes before. Several follow each
        other, for who was just asked answers faster, and knows more results by then.
        """
        goes_on = asks_max is not None
        if asks_max is None:
            asks_max = 0 if self._strategy.is_slow else ASKS_AT_ONCE_MAX
        self.is_behind = False
        if self._ledger.closed is not None or self._expected:
            return
        num_asked = 0
        falls_short = False
        rooms = self._leases.rooms(self._rest(now_s))
        for peer in rooms:
            trial = self._leases.next_for(peer, self._ledger.losses)
            if trial is None and num_asked < asks_max:
                num_asked += 1
                trial = self._ask(now_s)
            if trial is not None:
                self._leases.lease(trial, peer, now_s)
                self._unsent.setdefault(peer, []).append(trial)
                continue
            falls_short = True
            if not self._leases.waiting:
                break
        if falls_short and num_asked == asks_max:
            pays = goes_on or not self._strategy.is_slow or self._is_time_to_ask(rooms)
            self.is_behind = pays and self._may_ask(now_s)
        self._send_what_is_due()
        self._close_if_done(now_s)

    def _is_time_to_ask(self, rooms: list[PeerId]) -> bool:
        """Whether several trials are wanted, or somebody has done half of what it had."""
        if len(rooms) >= ASKS_TOGETHER:
            return True
        wanted = Counter(rooms)
        workers = self._leases.workers
        return any(
            self._leases.num_leased(peer) < max(DEPTH_MIN * workers[peer].slots, num_wanted)
            for peer, num_wanted in wanted.items()
        )

    def _rest(self, now_s: float) -> float:
        waiting = len(self._leases.waiting)
        if not self._may_ask(now_s):
            return waiting
        if self._spec.num_trials:
            return waiting + self._spec.num_trials - len(self._ledger.trials)
        return math.inf

    def _may_ask(self, now_s: float) -> bool:
        spec = self._spec
        if self._ledger.closed is not None or self._exhausted:
            return False
        if spec.num_trials and len(self._ledger.trials) >= spec.num_trials:
            return False
        return not spec.time_budget_s or self.elapsed_s(now_s) < spec.time_budget_s

    def _ask(self, now_s: float) -> Trial | None:
        """Ask the strategy for one more trial, to be lent out at once."""
        if not self._may_ask(now_s):
            return None
        if not self._has_asked:
            self._has_asked = True
            self._note("asks", f"the first trial of term {self.term}")
        try:
            suggested = self._strategy.ask(self._ledger)
        except StrategyError as error:
            self._fail(error)
            return None
        if suggested is None:
            self._exhausted = True
            return None
        number = self._ledger.next_number
        trial = Trial(
            self._spec.id, number, suggested.model, suggested.params, self.term, self._me
        )
        self._tell(Asked(trial))
        return trial if self._ledger.closed is None else None

    def _send_what_is_due(self) -> None:
        """Tell workers of their leases; those that have enough to do wait for more of them."""
        for peer, leased in list(self._unsent.items()):
            trials = [trial for trial in leased if self._leases.holds(trial.id, peer)]
            told = self._leases.num_leased(peer) - len(trials)
            has_enough = told >= DEPTH_MIN * self._leases.workers[peer].slots
            waits = self.is_behind and has_enough and len(trials) < LEASES_TOGETHER
            if peer == self._me or not waits:
                del self._unsent[peer]
                self._send_leases(peer, trials)

    def _send_leases(self, peer: PeerId, trials: list[Trial]) -> None:
        for trial in trials:
            self._leases.tell(trial.id)
        for leases in batches([self._lease(trial) for trial in trials]):
            self._send(peer, LeasesMessage(self._spec.id, self._me, self.term, leases))

    def _lease(self, trial: Trial) -> Lease:
        attempt = self._leases.attempts[trial.id]
        report = self._ledger.checkpoint(trial.id)
        if report is None or report.checkpoint is None:
            return Lease(trial, attempt)
        checkpoint = self._blobs.checkpoint_here(trial.id) or report.checkpoint
        holders = dict.fromkeys((self._me, report.peer, *self.members()))
        return Lease(trial, attempt, checkpoint, tuple(holders)[:HOLDERS_MAX])

    def _close_if_done(self, now_s: float) -> None:
        if not self._may_ask(now_s) and len(self._ledger.results) >= len(self._ledger.trials):
            self._append(Closed(DONE, self._me))

    # -- the ledger

    def _tell(self, entry: Entry) -> bool:
        if not self._append(entry):
            return False
        try:
            self._strategy.tell(entry)
        except StrategyError as error:
            self._fail(error)
        return True

    def _take_report(self, report: TrialReport) -> None:
        if self._tell(Reported(report)) and self._stops(report):
            self._stopping.add(report.trial)
        if report.trial in self._stopping:
            stop = StopTrials(self._spec.id, self._me, self.term, (report.trial,))
            self._send(report.peer, stop)

    def _stops(self, report: TrialReport) -> bool:
        try:
            return self._strategy.stops(report, self._ledger)
        except StrategyError as error:
            self._fail(error)
            return False

    def _take_result(self, result: TrialResult) -> None:
        if self._tell(Recorded(result)):
            self._leases.end(result.trial, result.duration_s)
            self._stopping.discard(result.trial)
