"""CoordinatorRole: this peer as coordinator: one term's decisions on trials, leases and results.

A term goes through two phases. First the coordinator gathers: it asks for, leases and closes
nothing until every member of the term before has answered, or for 1.5 heartbeats. A member has
answered when it follows this term and its ledger equals the coordinator's, or when it has sent
the entries that the coordinator lacked. So trials that run are known before new ones are asked
for. Trials that no worker claims are orphans: they are leased again when all have answered, or
after four heartbeats.

From then on every event ends the same way: `TrialSupply` fills the workers' vacancies, and ends
the study when all trials have results. Workers' heartbeats extend leases, news brings reports and
results, and lost leases put trials back (`LostLeases`).
"""

import math
from collections.abc import Iterable

from swarm.core.effects import Send
from swarm.core.errors import StrategyError
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search.effects import Note
from swarm.search.lease_book import LeaseBook
from swarm.search.ledger_writer import LedgerWriter
from swarm.search.lost_leases import LostLeases
from swarm.search.messages import (
    BATCH_MAX,
    MEMBERS_MAX,
    MissingEntries,
    StopTrials,
    WorkerHeartbeat,
    WorkerNews,
)
from swarm.search.strategies.strategy import Strategy
from swarm.search.study import NOBODY
from swarm.search.study_blobs import StudyBlobs
from swarm.search.study_ledger import CANCELLED, Asked, Closed, Lost, Recorded, Reported
from swarm.search.term_ledger import TermLedger
from swarm.search.trial import Trial, TrialId, TrialReport
from swarm.search.trial_supply import ASKS_IN_A_ROW, TrialSupply
from swarm.search.worker_role import WorkerRole

GATHER_HEARTBEATS = 1.5
"""A new coordinator waits this long for the other members' entries before it asks for trials."""


class CoordinatorRole:
    """One coordinator's work in one term.

    Invariants:
        Nothing is asked for, leased or closed before the others answered or had time to answer.
        A trial is leased to one worker at a time.
        Entries reach the ledger through `TermLedger` only.
    """

    def __init__(
        self,
        me: PeerId,
        term: int,
        strategy: Strategy,
        writer: LedgerWriter,
        blobs: StudyBlobs,
        own_worker: WorkerRole,
    ) -> None:
        self.term = term
        self._me = me
        self._ledger = ledger = writer.ledger
        self._spec = ledger.spec
        self._strategy = strategy
        self._own_worker = own_worker
        self._leases = leases = LeaseBook(ledger.spec, me, strategy.lookahead_max)
        self._record = record = TermLedger(me, strategy, writer, leases)
        self._lost_leases = LostLeases(me, ledger, leases, record)
        self._supply = TrialSupply(me, term, ledger, strategy, leases, record, blobs, own_worker)
        self._awaited: set[PeerId] = set()
        """Members that have not answered yet."""
        self._former_members: frozenset[PeerId] = frozenset()
        self._sent_missing: set[PeerId] = set()
        """Members that sent the entries that this peer lacked."""
        self._gather_until_s = math.inf
        self._orphans_until_s = math.inf
        """Until then, trials without a known worker are left to their workers of earlier terms."""
        self._patience_s = self._spec.lease_s + self._spec.heartbeat_s
        self._stopping: set[TrialId] = set()

    def begin(
        self, now_s: float, elapsed_s: float, expected: Iterable[PeerId], patient: bool
    ) -> list[Effect]:
        """Begin the term.

        Args:
            now_s: Now.
            elapsed_s: How long the study has been running.
            expected: Members that may know more than this peer does.
            patient: Whether there may be members that this peer does not know.
        """
        self._supply.began_s = now_s - elapsed_s
        self._awaited = set(expected) - {self._me}
        self._former_members = frozenset(self._awaited)
        self._gather_until_s = now_s + GATHER_HEARTBEATS * self._spec.heartbeat_s
        self._orphans_until_s = now_s + self._patience_s
        if patient:
            self._awaited.add(NOBODY)  # never answers
        effects = self._record.replay()
        return effects if effects or self._awaited else self._adopt_orphans()

    def take_heartbeat(self, heartbeat: WorkerHeartbeat, now_s: float) -> list[Effect]:
        """Extend a worker's leases, and believe it about the trials it holds."""
        ours = len(self._ledger), self._ledger.checksum
        synced = (heartbeat.length, heartbeat.checksum) == ours
        effects = self._lost_leases.put_back(self._leases.take_heartbeat(heartbeat, synced, now_s))
        for trial_id in heartbeat.held:
            trial = self._ledger.trials.get(trial_id)
            if trial is not None and trial_id not in self._ledger.results:
                self._leases.take_claim(trial, heartbeat.sender, now_s)
        has_answered = synced or heartbeat.sender in self._sent_missing
        if heartbeat.term == self.term and has_answered:
            effects += self._stop_awaiting(heartbeat.sender)
        return effects + self._lease_more(now_s)

    def take_news(self, news: WorkerNews, now_s: float) -> list[Effect]:
        """Record a worker's reports and results."""
        if self._ledger.closed is not None:
            return []
        self._leases.extend_leases(news.sender, now_s)
        effects: list[Effect] = []
        for report in news.reports:
            if self._leases.holds(report.trial, news.sender):
                effects += self._take_report(report)
        for result in news.results:
            is_known = result.trial in self._ledger.trials
            if is_known and self._leases.may_report(result.trial, news.sender):
                effects += self._record.record_result(result)
        return effects + self._lease_more(now_s)

    def take_missing_entries(self, missing: MissingEntries, now_s: float) -> list[Effect]:
        """Record the entries that a member has and we lack; strangers' entries are ignored."""
        sender = missing.sender
        if sender not in self._leases.workers and sender not in self._former_members:
            return []
        effects: list[Effect] = []
        for entry in missing.entries:
            match entry:
                case Asked(trial) if self._is_plausible(trial):
                    if new := self._record.record(entry):  # the worker that holds it will say so
                        effects += new
                        due_s = now_s + self._patience_s
                        self._orphans_until_s = min(self._orphans_until_s, due_s)
                case Recorded(result):
                    effects += self._record.record_result(result)
                case Reported() | Lost() | Closed():
                    effects += self._record.record(entry)
        if missing.term == self.term:
            self._sent_missing.add(sender)
        return effects + self._lease_more(now_s)

    def lose_worker(self, peer: PeerId, now_s: float, *, left: bool) -> list[Effect]:
        """Take back the trials of a worker that cannot be reached, or that left."""
        self._supply.forget_worker(peer)
        effects = self._lost_leases.put_back(self._leases.lose_worker(peer), blamed=not left)
        effects += self._stop_awaiting(peer)
        return effects + self._lease_more(now_s)

    def ask_on(self, now_s: float) -> list[Effect]:
        """Ask a slow strategy for more trials, if any are wanted."""
        return self._lease_more(now_s, asks_max=ASKS_IN_A_ROW)

    def tick(self, now_s: float) -> list[Effect]:
        """Do what time has made due."""
        if self._ledger.closed is not None:
            return []
        effects: list[Effect] = []
        for peer in self._leases.silent_workers(now_s):
            effects.append(Note("lost", f"{peer} was silent for three heartbeats"))
            self._supply.forget_worker(peer)
            cut_off = self._leases.is_cut_off(peer, now_s)
            lost = self._leases.lose_worker(peer)
            effects += self._lost_leases.put_back(lost, blamed=not cut_off)
        if now_s >= self._gather_until_s:
            self._awaited.clear()
        if now_s >= self._orphans_until_s:
            effects += self._adopt_orphans()
        effects += self._supply.send_unconfirmed_again(now_s)
        return effects + self._lease_more(now_s)

    def cancel(self) -> list[Effect]:
        """End the study now."""
        return self._record.close(CANCELLED)

    @property
    def is_behind(self) -> bool:
        """Whether the strategy should be asked for more trials at once."""
        return self._supply.is_behind

    @property
    def workers(self) -> dict[PeerId, int]:
        """Slots by worker."""
        return {peer: worker.slots for peer, worker in self._leases.workers.items()}

    def members(self) -> tuple[PeerId, ...]:
        """This peer, and the peers that may succeed it."""
        return tuple(self._leases.members())[:MEMBERS_MAX]

    def num_unsynced(self) -> int:
        """Number of workers whose ledgers are not known to equal ours."""
        others = (w for peer, w in self._leases.workers.items() if peer != self._me)
        return sum(not worker.synced for worker in others)

    def elapsed_s(self, now_s: float) -> float:
        """How long the study has been running, in all terms."""
        return now_s - self._supply.began_s

    def _lease_more(self, now_s: float, asks_max: int | None = None) -> list[Effect]:
        return [] if self._awaited else self._supply.lease_more(now_s, asks_max)

    def _stop_awaiting(self, peer: PeerId) -> list[Effect]:
        if peer not in self._awaited:
            return []
        self._awaited.discard(peer)
        return [] if self._awaited else self._adopt_orphans()

    def _adopt_orphans(self) -> list[Effect]:
        self._orphans_until_s = math.inf
        return self._lost_leases.adopt_orphans()

    def _is_plausible(self, trial: Trial) -> bool:
        """Bounds the number of trials that a lying member can make the swarm run."""
        limit = self._spec.num_trials
        return trial.term <= self.term and (
            not limit or len(self._ledger.trials) < 2 * limit + BATCH_MAX
        )

    def _take_report(self, report: TrialReport) -> list[Effect]:
        effects = self._record.record(Reported(report))
        if effects:
            try:
                if self._strategy.stops(report, self._ledger):
                    self._stopping.add(report.trial)
            except StrategyError as error:
                effects += self._record.fail(error)
        if report.trial not in self._stopping:
            return effects
        stop = StopTrials(self._spec.id, self._me, self.term, (report.trial,))
        if report.peer == self._me:
            return effects + self._own_worker.take_stop(stop)
        return [*effects, Send(report.peer, stop)]
