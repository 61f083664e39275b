"""Working: what one peer does with the trials it was lent."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

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
class Held:
    """A trial this peer was lent."""

    trial: Trial
    wanted: BlobRef | None = None
    """The checkpoint that is still being fetched."""
    result: TrialResult | None = None
    """What came of it, until the ledger has a result."""
    told_s: float = float("-inf")
    """When the result was last sent."""


class Working:
    """Trials held here: they wait for a checkpoint, run, or have a result that is not recorded.

    Invariant: nothing is held that has a result in the ledger.
    """

    def __init__(
        self, me: PeerId, study: StudyId, blobs: StudyBlobs, emit: Callable[[Effect], None]
    ) -> None:
        self._me = me
        self._study = study
        self._blobs = blobs
        self._emit = emit
        self._held: dict[TrialId, Held] = {}
        self._reports: list[TrialReport] = []

    @property
    def held(self) -> tuple[TrialId, ...]:
        """Trials held, at most as many as a beat may name."""
        return tuple(self._held)[:HELD_MAX]

    @property
    def num_unfinished(self) -> int:
        """Trials held that have no result yet."""
        return sum(held.result is None for held in self._held.values())

    def take(self, leases: Iterable[Lease], ledger: StudyLedger) -> None:
        """Begin with trials that were lent to this peer; those it holds it just keeps."""
        for lease in leases:
            trial = lease.trial
            if trial.id in self._held or trial.id in ledger.results:
                continue
            if len(self._held) >= HELD_MAX:
                return
            self._held[trial.id] = Held(trial, lease.checkpoint)
            if lease.checkpoint is None:
                self._emit(RunTrial(trial))
            else:
                self._blobs.fetch_checkpoint(trial.id, lease.checkpoint, lease.holders)

    def blob_is_here(self, blob: BlobRef) -> None:
        """A checkpoint that was waited for is here."""
        for held in self._waiting_for(blob):
            held.wanted = None
            self._emit(RunTrial(held.trial, blob))

    def blob_is_missing(self, blob: BlobRef) -> None:
        """Nobody has a checkpoint that was waited for: begin anew."""
        for held in self._waiting_for(blob):
            held.wanted = None
            self._emit(RunTrial(held.trial))

    def report(self, report: TrialReport) -> None:
        """A trial that runs here has something to tell."""
        if report.trial in self._held:
            self._reports.append(replace(report, peer=self._me))

    def finish(self, result: TrialResult) -> None:
        """A trial that ran here is over."""
        held = self._held.get(result.trial)
        if held is not None and held.result is None:
            held.result = replace(result, peer=self._me)

    def prune(self, trials: Iterable[TrialId]) -> None:
        """The coordinator says that these trials are not worth going on with."""
        for trial in trials:
            if trial in self._held and self._held[trial].result is None:
                self._emit(PruneTrial(trial))

    def recorded(self, trial: TrialId) -> None:
        """The ledger has a result, ours or another's: this trial is over."""
        held = self._held.pop(trial, None)
        if held is not None and held.result is None:
            self._emit(DropTrial(trial))

    def drop_all(self) -> None:
        """The study is over."""
        for trial in list(self._held):
            self.recorded(trial)
        self._reports.clear()

    def has_news(self, now_s: float, again_s: float) -> bool:
        """Whether there is something to tell; see `news`."""
        return bool(self._reports) or any(self._untold(now_s, again_s))

    def news(self, now_s: float, again_s: float) -> Iterator[WorkerNews]:
        """What the coordinator should know, in messages of bounded size.

        Args:
            now_s: Now.
            again_s: Results that were told so long ago and are not recorded yet are told again.
        """
        reports, self._reports = self._reports, []
        untold = list(self._untold(now_s, again_s))
        for held, _ in untold:
            held.told_s = now_s
        for some in batches(reports):
            yield WorkerNews(self._study, self._me, some, ())
        for batch in batches(result for _, result in untold):
            yield WorkerNews(self._study, self._me, (), batch)

    def _untold(self, now_s: float, again_s: float) -> Iterator[tuple[Held, TrialResult]]:
        for held in self._held.values():
            if held.result is not None and now_s - held.told_s >= again_s:
                yield held, held.result

    def _waiting_for(self, blob: BlobRef) -> list[Held]:
        return [held for held in self._held.values() if held.wanted == blob]
