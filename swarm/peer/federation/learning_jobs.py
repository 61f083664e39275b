"""LearningJobs: has a worker do a session's jobs: train, evaluate, combine."""

import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import structlog
import trio

from swarm.core.blobs import BlobRef
from swarm.core.errors import LearningError, NetworkError, SwarmError, WorkerDiedError
from swarm.core.ids import Digest, SessionId
from swarm.core.machine import Effect, Event
from swarm.federation import effects
from swarm.federation.like_failures import LikeFailures
from swarm.federation.records import Metrics
from swarm.learning.errors import TrainingCancelledError
from swarm.learning.federation import jobs
from swarm.learning.progress import Evaluation, Progress
from swarm.peer.federation.peer_status import PeerStatus
from swarm.peer.federation.trainers import Worker
from swarm.peer.host.host import Host
from swarm.peer.host.machine_driver import Job

Spawn = Callable[[Job], None]
Report = Callable[[Event], None]
PROGRESS_EVERY_S = 1.0
R = TypeVar("R")
LOSS_MAX = 1e9
RETRY_AFTER_S = 2.0
FAILURES = (LearningError, WorkerDiedError, NetworkError)

log = structlog.get_logger()


class LearningJobs:
    """Turns effects into jobs of a worker, and their results into events.

    Invariant: at most one training runs; a new one cancels it.
    """

    def __init__(self, session: SessionId, worker: Worker, host: Host, status: PeerStatus) -> None:
        self._session = session
        self._me = host.me
        self._outbox = host.outbox
        self._worker = worker
        self._store = host.store
        self._status = status
        self._training: Digest | None = None
        self._position: int | None = None
        """Where the last finished training ended in this peer's data."""
        self._scope = trio.CancelScope()

    def carry_out(self, effect: Effect, spawn: Spawn, report: Report) -> None:
        """Start the job behind a learning effect; ignore other effects.

        Args:
            effect: What the machine asks for.
            spawn: Runs a job in the background, and hands its result on.
            report: Called about once a second while training gets on.
        """
        match effect:
            case effects.CreateWeights():
                spawn(self._create)
            case effects.Train() if effect.base != self._training:
                self._replace_training(effect.base)
                scope = self._scope
                spawn(lambda: self._train(effect, scope, report))
            case effects.Evaluate():
                self._replace_training(None)
                spawn(lambda: self._evaluate(effect))
            case effects.Combine():
                spawn(lambda: self._combine(effect))

    async def export(self, blob: BlobRef, path: Path) -> None:
        """Write the model with these weights as a `.keras` file, after the current training.

        Raises:
            LearningError: The learner failed.
            BlobNotFoundError: The weights are not in the store.
        """
        job = jobs.Export(str(self._store.path(blob)), str(path))
        await self._worker.export(job)

    def stop_training(self) -> None:
        """Cancel the running training; it has no result."""
        self._replace_training(None)

    def _replace_training(self, base: Digest | None) -> None:
        self._scope.cancel()
        self._scope = trio.CancelScope()
        self._training = base

    async def _create(self) -> Event:
        try:
            written = await self._persist(
                lambda: self._worker.create_weights(jobs.CreateWeights(self._output_dir))
            )
        except FAILURES as error:
            return effects.LearnerFailed(str(error))
        self._admit(written.path, written.blob)
        return effects.WeightsCreated(written.blob)

    async def _train(
        self, effect: effects.Train, scope: trio.CancelScope, report: Report
    ) -> Event | None:
        with scope:
            try:
                base_path = str(self._store.path(effect.blob))
                job = jobs.Train(
                    base_path, effect.round, self._output_dir, self._position, effect.attempt
                )
                result = await self._worker.train(job, self._watch(effect, report))
            except TrainingCancelledError:
                return None
            except FAILURES as error:
                self._training = None
                return effects.TrainingFailed(effect.base, str(error))
            self._position = result.position
            self._admit(result.path, result.blob)
            evaluation, metrics = result.evaluation, None
            if evaluation is not None:
                metrics = self._note_evaluation(effect.base, effect.round - 1, evaluation)
            accuracy = self._status.train_accuracy = result.train_accuracy
            self._status.rest("waiting")
            log.info(
                "trained",
                round=effect.round,
                train_accuracy=round(accuracy, 4) if accuracy is not None else None,
                seconds=round(result.duration_s, 2),
            )
            return effects.TrainingFinished(
                effect.base,
                result.blob,
                result.num_examples,
                result.duration_s,
                metrics,
                result.finding,
            )
        return None

    def _watch(self, effect: effects.Train, report: Report) -> Callable[[Progress], None]:
        reported_s = float("-inf")

        def note(progress: Progress) -> None:
            nonlocal reported_s
            self._status.take_progress(progress)
            if progress.evaluation is not None:
                self._note_evaluation(effect.base, effect.round - 1, progress.evaluation)
            now_s = trio.current_time()
            if now_s - reported_s < PROGRESS_EVERY_S:
                return
            reported_s = now_s
            training = progress.phase == "training"
            # First the base is measured, then it is trained: one number grows through both.
            done = training + min(progress.fraction, 0.99)
            report(effects.TrainingProgressed(effect.base, done))
            if training:
                log.debug(
                    "training",
                    round=effect.round,
                    percent=round(100 * progress.fraction),
                    train_accuracy=progress.train_accuracy,
                )

        return note

    async def _evaluate(self, effect: effects.Evaluate) -> Event:
        self._status.rest("evaluating")
        try:
            evaluation = await self._persist(
                lambda: self._worker.evaluate(
                    jobs.EvaluateWeights(str(self._store.path(effect.blob)))
                )
            )
        except FAILURES as error:
            return effects.LearnerFailed(str(error))
        metrics = self._note_evaluation(effect.head, effect.round, evaluation)
        self._status.rest("finished")
        return effects.EvaluationFinished(effect.head, metrics)

    def _note_evaluation(self, head: Digest, round_number: int, evaluation: Evaluation) -> Metrics:
        """Show how a head did here, as soon as it is known; once for each head."""
        metrics = self._metrics(evaluation)
        if self._status.evaluated != head:
            self._status.evaluate(head, round_number, metrics)
            log.info(
                "evaluated",
                evaluated_round=round_number,
                accuracy=round(metrics.accuracy, 4),
                num_test_examples=metrics.num_examples,
            )
        return metrics

    async def _persist(self, job: Callable[[], Awaitable[R]]) -> R:
        """Run a job that the session needs; after a failure, run it again.

        Raises:
            SwarmError: It failed again and again in the same way; one of `FAILURES`.
        """
        failures = LikeFailures()
        while True:
            try:
                return await job()
            except FAILURES as error:
                if failures.count(str(error)):
                    raise
                log.warning("job failed", reason=str(error), again_in_s=RETRY_AFTER_S)
                await trio.sleep(RETRY_AFTER_S)

    async def _combine(self, effect: effects.Combine) -> Event:
        phase = self._status.phase
        if phase == "waiting":
            self._status.rest("aggregating")
        try:
            result = await self._worker.combine(self._combination(effect))
        except FAILURES as error:
            return self._failed(effect, error)
        finally:
            if self._status.phase == "aggregating":
                self._status.rest("waiting")
        self._admit(result.path, result.blob)
        return effects.Combined(effect.base, effect.cluster, result.blob, result.rejected)

    def _combination(self, effect: effects.Combine) -> jobs.Combine:
        def path(blob: BlobRef) -> str:
            return str(self._store.path(blob))

        inputs = tuple(
            jobs.CombineInput(
                item.name,
                path(item.blob),
                item.weight,
                path(item.stale_base) if item.stale_base is not None else None,
            )
            for item in effect.inputs
        )
        given = effect.merge
        merge = jobs.MergeInput(given.name, path(given.blob), given.share) if given else None
        return jobs.Combine(path(effect.base_blob), inputs, self._output_dir, merge)

    def _failed(self, effect: effects.Combine, error: SwarmError) -> Event:
        # A dead learner says nothing about the inputs; other errors come from the inputs.
        blamed = () if isinstance(error, WorkerDiedError | NetworkError) else effect.inputs
        rejected = tuple(effects.Rejection(item.name, str(error)) for item in blamed)
        return effects.CombineFailed(effect.base, effect.cluster, str(error), rejected)

    def _metrics(self, evaluation: Evaluation) -> Metrics:
        loss = evaluation.loss if math.isfinite(evaluation.loss) else LOSS_MAX  # training diverged
        return Metrics(self._me, evaluation.accuracy, loss, evaluation.num_examples)

    def _admit(self, path: str, blob: BlobRef) -> None:
        self._outbox.admit(self._session, Path(path), blob)

    @property
    def _output_dir(self) -> str:
        return str(self._store.incoming)
