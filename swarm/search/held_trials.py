"""HeldTrials: the trials leased to this peer, from the lease until the ledger has a result."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from swarm.core.blobs import BlobRef
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search.batches import batches
from swarm.search.effects import DropTrial, PruneTrial, RunTrial
from swarm.search.messages import HELD_MAX, Lease, WorkerNews
from swarm.search.study import StudyId
from swarm.search.study_blobs import StudyBlobs
from swarm.search.study_ledger import StudyLedger
from swarm.search.trial import Trial, TrialId, TrialReport, TrialResult


@dataclass(slots=True)
class HeldTrial:
    """One trial leased to this peer."""

    trial: Trial
    wanted: BlobRef | None = None
    """The checkpoint that is still being fetched."""
    result: TrialResult | None = None
    """This peer's result, until the ledger has one."""
    sent_s: float = float("-inf")
    """When the result was last sent."""


class HeldTrials:
    """Trials held here: each waits for a checkpoint, runs, or has a result not yet recorded.

    Invariant: no held trial has a result in the ledger.
    """

    def __init__(self, me: PeerId, study: StudyId, blobs: StudyBlobs) -> None:
        self._me = me
        self._study = study
        self._blobs = blobs
        self._held: dict[TrialId, HeldTrial] = {}
        self._reports: list[TrialReport] = []

    @property
    def ids(self) -> tuple[TrialId, ...]:
        """Trials held, at most as many as a heartbeat may name."""
        return tuple(self._held)[:HELD_MAX]

    @property
    def num_unfinished(self) -> int:
        """Number of trials held that have no result yet."""
        return sum(held.result is None for held in self._held.values())

    def take_leases(self, leases: Iterable[Lease], ledger: StudyLedger) -> list[Effect]:
        """Begin the trials of these leases, except those that are held or recorded already."""
        effects: list[Effect] = []
        for lease in leases:
            trial = lease.trial
            if trial.id in self._held or trial.id in ledger.results:
                continue
            if len(self._held) >= HELD_MAX:
                break
            self._held[trial.id] = HeldTrial(trial, lease.checkpoint)
            if lease.checkpoint is None:
                effects.append(RunTrial(trial))
            else:
                effects += self._blobs.fetch_checkpoint(trial.id, lease.checkpoint, lease.holders)
        return effects

    def resume_from(self, blob: BlobRef) -> list[Effect]:
        """Run the trials that waited for this checkpoint."""
        return self._run_waiting(blob, blob)

    def restart_without(self, blob: BlobRef) -> list[Effect]:
        """Run the trials from their beginning whose checkpoint no peer has."""
        return self._run_waiting(blob, None)

    def take_report(self, report: TrialReport) -> None:
        """Keep a report of a trial that runs here, to be sent."""
        if report.trial in self._held:
            self._reports.append(report)

    def take_result(self, result: TrialResult) -> None:
        """Keep the result of a trial that ran here, to be sent until it is recorded."""
        held = self._held.get(result.trial)
        if held is not None and held.result is None:
            held.result = result

    def prune(self, trials: Iterable[TrialId]) -> list[Effect]:
        """End those of these trials that still run: the strategy stopped them."""
        running = (t for t in trials if t in self._held and self._held[t].result is None)
        return [PruneTrial(trial) for trial in running]

    def release(self, trial: TrialId) -> list[Effect]:
        """Let go of a trial that has a result in the ledger, ours or another peer's."""
        held = self._held.pop(trial, None)
        return [DropTrial(trial)] if held is not None and held.result is None else []

    def release_all(self) -> list[Effect]:
        """Let go of all trials: the study is over, or this peer leaves it."""
        self._reports.clear()
        return [effect for trial in list(self._held) for effect in self.release(trial)]

    def has_news(self, now_s: float, again_s: float) -> bool:
        """Whether `take_news` would return a message."""
        return bool(self._reports) or any(self._unsent(now_s, again_s))

    def take_news(self, now_s: float, again_s: float) -> Iterator[WorkerNews]:
        """Take the reports and results to send, in messages of bounded size.

        Args:
            now_s: Now.
            again_s: A result is sent again after this time, until the ledger has one.
        """
        reports, self._reports = self._reports, []
        unsent = list(self._unsent(now_s, again_s))
        for held, _ in unsent:
            held.sent_s = now_s
        for some in batches(reports):
            yield WorkerNews(self._study, self._me, some, ())
        for batch in batches(result for _, result in unsent):
            yield WorkerNews(self._study, self._me, (), batch)

    def _unsent(self, now_s: float, again_s: float) -> Iterator[tuple[HeldTrial, TrialResult]]:
        for held in self._held.values():
            if held.result is not None and now_s - held.sent_s >= again_s:
                yield held, held.result

    def _run_waiting(self, blob: BlobRef, checkpoint: BlobRef | None) -> list[Effect]:
        waiting = [held for held in self._held.values() if held.wanted == blob]
        for held in waiting:
            held.wanted = None
        return [RunTrial(held.trial, checkpoint) for held in waiting]
