"""Execution: runs the trials of studies in the processes of a pool."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog
import trio

from swarm.core.blobs import BlobRef
from swarm.core.errors import StorageError, SwarmError
from swarm.core.machine import Event
from swarm.learning.search.study_tasks import Places, point_of, report_of, result_of, task_of
from swarm.learning.search.trial_records import EpochReport
from swarm.peer.host.host import Host
from swarm.peer.processes.trial_pool import TrialPool
from swarm.peer.search.search_settings import SearchSettings
from swarm.search.effects import RunTrial, TrialFinished, TrialReported
from swarm.search.study import StudyId, StudySpec
from swarm.search.study_ledger import StudyLedger
from swarm.search.trial import FAILED, EpochPoint, Trial, TrialId, TrialResult, failed

CHECKPOINT_EVERY_S = 2.0
"""Each checkpoint travels to two peers. If a peer dies, the epochs since the last one are lost."""

log = structlog.get_logger()


class Execution:
    """Runs trials of any study; a trial that cannot run gets a result that says why.

    Invariant: each trial has a scope from its start until its result is handled or it is dropped.
    """

    def __init__(self, pool: TrialPool, host: Host, settings: SearchSettings) -> None:
        self._pool = pool
        self._outbox = host.outbox
        self._store = host.store
        self._settings = settings
        self._scopes: dict[TrialId, trio.CancelScope] = {}

    async def run(
        self,
        spec: StudySpec,
        effect: RunTrial,
        ledger: StudyLedger,
        handle: Callable[[Event], None],
    ) -> None:
        """Run a trial when a slot is free.

        Args:
            spec: The study.
            effect: The trial, and the checkpoint to resume from.
            ledger: The study's ledger, for the reports before the checkpoint.
            handle: Takes the reports and the result, as events.

        Raises:
            WorkerDiedError: No trial process can start, so this peer cannot work.
        """
        trial = effect.trial
        scope = self._scopes[trial.id] = trio.CancelScope()
        try:
            with scope:
                result = await self._result(spec, effect, ledger, handle)
                handle(TrialFinished(result))
        finally:
            if self._scopes.get(trial.id) is scope:
                del self._scopes[trial.id]

    def prune(self, trial: TrialId) -> None:
        """End a trial after its current epoch."""
        self._pool.stop(trial)

    def drop(self, trial: TrialId) -> None:
        """End a trial whose result is not wanted any more."""
        scope = self._scopes.pop(trial, None)
        if scope is not None:
            scope.cancel()

    async def _result(
        self,
        spec: StudySpec,
        effect: RunTrial,
        ledger: StudyLedger,
        handle: Callable[[Event], None],
    ) -> TrialResult:
        trial, checkpoint = effect.trial, effect.checkpoint
        if checkpoint is not None and self._store.has(checkpoint):
            earlier = _earlier(ledger, trial, checkpoint)
            epoch = max((point.epoch for point in earlier), default=0)
            log.info("resumed from a checkpoint", trial=trial.id, epoch=epoch)
            result, num_reports = await self._attempt(spec, trial, checkpoint, earlier, handle)
            if result.state != FAILED or num_reports:
                return result
            log.warning("checkpoint unusable", trial=trial.id, reason=result.error)
        result, _ = await self._attempt(spec, trial, None, [], handle)
        return result

    async def _attempt(
        self,
        spec: StudySpec,
        trial: Trial,
        checkpoint: BlobRef | None,
        earlier: list[EpochPoint],
        handle: Callable[[Event], None],
    ) -> tuple[TrialResult, int]:
        """Run a trial to its end; return its result and the number of epochs that it reported."""
        curve = {point.epoch: point for point in earlier}
        kept_s = float("-inf")
        num_reports = 0

        def take(report: EpochReport) -> None:
            nonlocal kept_s, num_reports
            num_reports += 1
            point = point_of(report)
            curve[point.epoch] = point
            now_s = trio.current_time()
            if not self._keeps(spec.id, report, now_s >= kept_s + CHECKPOINT_EVERY_S):
                report = replace(report, checkpoint=None)
            elif report.checkpoint is not None:
                kept_s = now_s
            handle(TrialReported(report_of(trial, report)))

        try:
            task = task_of(spec, trial, self._places(spec, checkpoint))
        except (SwarmError, ValueError) as error:
            return failed(trial.id, str(error), 0.0), 0
        outcome = await self._pool.run(
            trial.id,
            task,
            take,
            limit_s=spec.trial_limit_s,
            on_begin=lambda: log.debug("runs", trial=trial.id, number=trial.number),
        )
        try:
            points = [curve[epoch] for epoch in sorted(curve)]
            return result_of(trial, outcome, points), num_reports
        except ValueError as error:
            return failed(trial.id, str(error), outcome.duration_s), num_reports

    def _places(self, spec: StudySpec, checkpoint: BlobRef | None) -> Places:
        settings = self._settings
        return Places(
            data_path=str(self._store.path(spec.data)) if spec.data is not None else None,
            data_dir=str(settings.data_dir) if settings.data_dir is not None else None,
            cache_dir=str(settings.cache_dir),
            resume_path=str(self._store.path(checkpoint)) if checkpoint is not None else None,
            checkpoint_dir=str(self._store.incoming),
            allow_code=settings.allow_code,
        )

    def _keeps(self, study: StudyId, report: EpochReport, is_due: bool) -> bool:
        """Move a checkpoint into the store; delete it if it is not due or there is no room."""
        if report.checkpoint is None:
            return True
        path = Path(report.checkpoint.path)
        if is_due:
            try:
                self._outbox.admit(study, path, report.checkpoint.blob)
                return True
            except StorageError as error:  # the trial goes on without it
                log.warning("checkpoint lost", reason=str(error))
        path.unlink(missing_ok=True)
        return False


def _earlier(ledger: StudyLedger, trial: Trial, checkpoint: BlobRef | None) -> list[EpochPoint]:
    """Points of the curve before the checkpoint, as another peer reported them."""
    if checkpoint is None:
        return []
    reports = ledger.reports.get(trial.id, {}).values()
    last = max((r.point.epoch for r in reports if r.checkpoint == checkpoint), default=0)
    return [r.point for r in reports if r.point.epoch <= last and r.point.fold == 0]
