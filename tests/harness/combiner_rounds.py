"""Trains a combiner with the project's own federated rounds, in one process."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from swarm.ensemble.records import CombinerRecord
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import npz
from swarm.learning.ensemble.answers import Floats
from swarm.learning.ensemble.combiner import Combiner, combiner_examples, combiner_session
from swarm.learning.federation import jobs
from swarm.learning.federation.combining import combine_files
from swarm.learning.federation.learner import Learner


def train_combiner(
    spec: EnsembleSpec,
    record: CombinerRecord,
    validation: Sequence[tuple[Floats, Floats]],
    folder: Path,
    *,
    rounds: int = 20,
) -> Combiner:
    """Train on each member's (answers, truth), and average after each round.

    Args:
        spec: The ensemble.
        record: The models.
        validation: For each member, answers of shape (k, n, outputs) and truth of shape (n,).
        folder: Takes the members' examples and weights files.
        rounds: Passes of each member over its rows.
    """
    session = combiner_session(spec, record, rounds=rounds, min_peers=len(validation))
    learners = []
    for number, (stack, truth) in enumerate(validation):
        path = folder / f"member-{number}.npz"
        npz.write(path, combiner_examples(spec, record, stack, truth))
        learners.append(Learner(jobs.Initialise(session, DataConfig("own", data_path=str(path)))))
    written = learners[0].create_weights(jobs.CreateWeights(str(folder)))
    positions: list[int | None] = [None] * len(learners)
    for round_number in range(1, rounds + 1):
        inputs = []
        for number, learner in enumerate(learners):
            trained = learner.train(
                jobs.Train(written.path, round_number, str(folder), positions[number]),
                lambda: True,
            )
            positions[number] = trained.position
            inputs.append(jobs.CombineInput(str(number), trained.path, trained.num_examples))
        combined = combine_files(
            jobs.Combine(written.path, tuple(inputs), str(folder)), session.norm_bound
        )
        written = jobs.WeightsWritten(combined.path, combined.blob)
    return Combiner.load(spec, replace(record, blob=written.blob), Path(written.path))
