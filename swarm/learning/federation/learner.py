"""Learner: does the jobs of swarm.learning.federation.jobs, one at a time, blocking."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from swarm.core.errors import ShapeMismatchError
from swarm.core.session import SessionSpec
from swarm.learning.datasets import DataDescription, load_dataset
from swarm.learning.errors import TrainingCancelledError
from swarm.learning.federation import gates, jobs
from swarm.learning.federation.batches import Clock, RoundBatches
from swarm.learning.federation.combining import combine_files
from swarm.learning.federation.diagnosis import Diagnosis
from swarm.learning.federation.evaluation import BATCH, evaluate, spread
from swarm.learning.federation.fingerprint import fingerprint
from swarm.learning.federation.seeds import Purpose, generator
from swarm.learning.federation.session_model import SessionModel
from swarm.learning.federation.shards import summary_of, take_shards
from swarm.learning.federation.table_model import write_columns
from swarm.learning.federation.weights_files import (
    read_weights,
    write_weights,
)
from swarm.learning.progress import Evaluation, OnProgress, Progress

BetweenBatches = Callable[[], bool]


def _ignore(progress: Progress) -> None:
    """The default, for callers without a display."""


class Learner:
    """One peer's model and data of one session.

    The model holds weights only while a job runs: every job names the file that it starts from.
    `combine` uses neither model nor data, so it may be called between batches of `train`.
    """

    def __init__(
        self,
        job: jobs.Initialise,
        on_progress: OnProgress = _ignore,
        clock: Clock = time.perf_counter,
    ) -> None:
        """Build the model and read the data.

        Args:
            job: The session and the peer's part of its data.
            on_progress: Called while the data is read.
            clock: Measures a round that is bounded by time.

        Raises:
            ConfigurationError: The session names a model or data set that is unavailable.
            LearningError: Model and data do not fit the session.
        """
        self._spec: SessionSpec = job.spec
        self._partition = job.data.partition_index
        self._clock = clock
        self._progress = Progress("preparing", 0.0)
        self._base_evaluation: Evaluation | None = None
        """Of the weights from which the current training began."""
        dataset = load_dataset(job.data, on_progress, DataDescription.of_session(job.spec))
        self._train_shard, self._test_shard = take_shards(dataset, job.spec, job.data)
        self._spread = spread(self._train_shard)
        on_progress(Progress("preparing", 0.5, text="building the model"))
        self._model = SessionModel(job.spec, job.model_path, allow_code=job.allow_code)
        if self._model.rows is not None:
            self._spec = replace(job.spec, batch_size=self._model.rows)
        self._initial_weights = self._model.weights()
        self._diagnosis = Diagnosis(job.spec, self._model, self._train_shard)
        self.initialised = jobs.Initialised(
            dataset_label=dataset.label,
            stand_in=dataset.stand_in,
            num_train=len(self._train_shard),
            num_test=len(self._test_shard),
            num_parameters=sum(array.size for array in self._initial_weights.values()),
            notes=(*dataset.notes, *self._model.notes),
            data=summary_of(self._train_shard),
            advice=(*dataset.doubts, *self._model.advice),
            fingerprint=fingerprint(self._train_shard, self._test_shard),
            finding=self._diagnosis.inputs,
        )

    def progress(self) -> Progress:
        """Progress of the current training, or else of the last one."""
        return replace(self._progress, evaluation=self._base_evaluation)

    def create_weights(self, job: jobs.CreateWeights) -> jobs.WeightsWritten:
        """Write the initial weights: from the session's seed, or from its `.keras` file."""
        path, blob = write_weights(self._initial_weights, job.output_dir)
        return jobs.WeightsWritten(str(path), blob)

    def evaluate_weights(self, job: jobs.EvaluateWeights) -> Evaluation:
        """Accuracy and loss of a weights file on the test shard."""
        self._load(job.path)
        return self._evaluate(lambda fraction: None)

    def train(self, job: jobs.Train, between_batches: BetweenBatches) -> jobs.Trained:
        """Evaluate the base weights, then train them for one round; see `RoundBatches`.

        Args:
            job: The base weights, the round, and the position in the peer's data.
            between_batches: Called after every batch; the training ends when it returns False.

        Raises:
            TrainingCancelledError: `between_batches` returned False.
            LearningError: The base does not fit the model, or the loss became infinite.
        """
        started_s = time.perf_counter()
        self._base_evaluation = None
        self._load(job.base_path)

        def tick(fraction: float) -> None:
            self._progress = Progress("evaluating", fraction)
            _continue_or_cancel(between_batches)

        evaluation = self._base_evaluation = self._evaluate(tick)
        batches = self._batches(job)
        self._diagnosis.begin(self._model.weights())
        accuracy, loss = self._fit(batches, job.round_number, between_batches)
        weights = self._model.weights()
        path, blob = write_weights(weights, job.output_dir)
        return jobs.Trained(
            path=str(path),
            blob=blob,
            num_examples=batches.weight,
            position=batches.position,
            duration_s=time.perf_counter() - started_s,
            train_accuracy=accuracy,
            train_loss=loss,
            evaluation=evaluation,
            finding=self._diagnosis.end(weights),
        )

    def combine(self, job: jobs.Combine) -> jobs.Combined:
        """See `combining.combine_files`."""
        return combine_files(job, self._spec.norm_bound)

    def export(self, job: jobs.Export) -> jobs.Exported:
        """Write the model with the given weights as a `.keras` file, completely or not at all."""
        self._load(job.weights_path)
        target = Path(job.keras_path)
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.stem}.tmp.keras")
        self._model.keras.save(scratch)
        scratch.replace(target)
        write_columns(self._spec, target)
        return jobs.Exported(str(target))

    def _load(self, path: str) -> None:
        weights = read_weights(path)
        if fault := gates.schema_fault(self._initial_weights, weights):
            raise ShapeMismatchError(f"{path} does not fit model {self._spec.model}: {fault}")
        self._model.put_weights(weights)

    def _evaluate(self, tick: Callable[[float], None]) -> Evaluation:
        model, rows = self._model, self._model.rows or BATCH
        return evaluate(model.keras, self._test_shard, model.objective, tick, rows)

    def _batches(self, job: jobs.Train) -> RoundBatches:
        num_examples = len(self._train_shard)
        position = job.position
        if position is None:
            position = (job.round_number - 1) * self._spec.local_epochs * num_examples
        position += job.attempt * num_examples
        return RoundBatches(self._spec, self._partition, num_examples, position, self._clock)

    def _fit(
        self, batches: RoundBatches, round_number: int, between_batches: BetweenBatches
    ) -> tuple[float, float]:
        """Train for one round; return the last local epoch's running accuracy and loss."""
        self._model.reseed_layers(
            generator(self._spec.seed, Purpose.TRAINING, self._partition, round_number)
        )
        self._model.optimizer.start_round(round_number)
        epoch, sums, seen = 0, np.zeros(2), 0
        accuracy = loss = 0.0
        for indices in batches:
            if batches.epoch != epoch:
                epoch, sums, seen = batches.epoch, np.zeros(2), 0
            self._model.optimizer.start_batch(batches.step)
            means = self._train_batch(indices)
            self._diagnosis.note_batch(means, len(indices))
            sums += means * len(indices)
            seen += len(indices)
            metric, loss = (sums / seen).tolist()
            accuracy = self._model.objective.score(metric, self._spread)
            self._progress = Progress("training", batches.fraction, accuracy, loss)
            _continue_or_cancel(between_batches)
        return accuracy, loss

    def _train_batch(self, indices: Any) -> Any:
        """Take a gradient step; return the batch's mean score metric and mean loss."""
        if self._model.rows is not None:
            indices = np.resize(indices, self._model.rows)  # a short batch is repeated
        return self._model.train_batch(*self._train_shard.batch(indices))


def _continue_or_cancel(between_batches: BetweenBatches) -> None:
    if not between_batches():
        raise TrainingCancelledError("the training was cancelled")
