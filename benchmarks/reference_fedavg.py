"""Plain FedAvg in one process: the accuracy to compare the swarm's with.

    python -m benchmarks.reference_fedavg --peers 6 --rounds 12 --data-dir DIR --json

Learner, seeds and split are those of the peers of a swarm. They train one after the other, and all
results are averaged at once.
"""

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from swarm.core.session import SessionSpec
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets import describe, resolve_dataset
from swarm.learning.federation import jobs
from swarm.learning.federation.learner import Learner


@dataclass(frozen=True, slots=True)
class Round:
    """How the global model did on the whole test split after a round."""

    round: int
    accuracy: float
    loss: float
    seconds: float


def main() -> None:
    """Run, print a line per round, and with --json one JSON object as the last line."""
    arguments = _parse()
    with tempfile.TemporaryDirectory() as scratch:
        cache_dir = arguments.cache_dir or scratch
        data = resolve_dataset(
            arguments.dataset, arguments.data_dir, cache_dir, lambda p: print(p.text)
        )
        spec = _spec(arguments, data.name)
        print(f"{arguments.peers} peers, {spec.model} on {data.label}, {spec.partitioner}")
        configs = [
            DataConfig(
                dataset=data.name,
                data_dir=arguments.data_dir,
                cache_dir=cache_dir,
                partition_index=k,
                partition_count=arguments.peers,
            )
            for k in range(arguments.peers)
        ]
        learners = [Learner(jobs.Initialise(spec, config)) for config in configs]
        results = _run(learners, spec.rounds, Path(scratch))
    if arguments.json:
        print(
            json.dumps(
                {
                    "benchmark": "reference_fedavg",
                    "dataset": data.label,
                    "peers": arguments.peers,
                    "global_accuracy": results[-1].accuracy,
                    "rounds": [asdict(result) for result in results],
                    "spec": asdict(spec),
                }
            )
        )


def _run(learners: list[Learner], num_rounds: int, folder: Path) -> list[Round]:
    base = learners[0].create_weights(jobs.CreateWeights(str(folder))).path
    positions: list[int | None] = [None] * len(learners)
    results = []
    for number in range(1, num_rounds + 1):
        started_s = time.perf_counter()
        trained = [
            learner.train(jobs.Train(base, number, str(folder), position), lambda: True)
            for learner, position in zip(learners, positions, strict=True)
        ]
        positions = [result.position for result in trained]
        inputs = tuple(
            jobs.CombineInput(f"peer-{k}", result.path, result.num_examples)
            for k, result in enumerate(trained)
        )
        combined = learners[0].combine(jobs.Combine(base, inputs, str(folder)))
        for path in (base, *(result.path for result in trained)):
            Path(path).unlink()
        base = combined.path
        seconds = time.perf_counter() - started_s
        results.append(_evaluate(learners, base, number, seconds))
        print(
            f"round {number:3}  accuracy {results[-1].accuracy:.4f}  loss {results[-1].loss:.4f}  "
            f"{seconds:.1f} s  rejected {len(combined.rejected)}",
            flush=True,
        )
    return results


def _evaluate(learners: list[Learner], path: str, number: int, seconds: float) -> Round:
    shards = [learner.evaluate_weights(jobs.EvaluateWeights(path)) for learner in learners]
    total = sum(shard.num_examples for shard in shards)
    accuracy = sum(shard.accuracy * shard.num_examples for shard in shards) / total
    loss = sum(shard.loss * shard.num_examples for shard in shards) / total
    return Round(number, accuracy, loss, seconds)


def _spec(arguments: argparse.Namespace, dataset: str) -> SessionSpec:
    return SessionSpec(
        model=arguments.model,
        dataset=dataset,
        **describe(DataConfig(dataset)).spec_fields,
        partitioner=arguments.partitioner,
        dirichlet_alpha=arguments.alpha,
        examples_per_peer_max=arguments.examples_max,
        rounds=arguments.rounds,
        local_epochs=arguments.epochs,
        local_steps=arguments.local_steps,
        batch_size=arguments.batch_size,
        learning_rate=arguments.lr,
        momentum=arguments.momentum,
        learning_rate_decay=arguments.decay,
        seed=arguments.seed,
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data-dir", help="folder that holds cifar-10-batches-bin")
    parser.add_argument("--cache-dir", help="for generated and downloaded data; else temporary")
    parser.add_argument("--partitioner", default="iid", choices=("iid", "dirichlet"))
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--examples-max", type=int, default=0, help="per peer; 0 for all")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--lr", type=float, default=0.0, help="0 for the session's default")
    parser.add_argument("--local-steps", type=int, default=0, help="0 for whole epochs")
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--decay", type=float, default=0.97)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
