"""`python -m benchmarks.churn_accuracy`: how much accuracy two deaths during a run cost.

Eight peers train on digits (or, with `--dataset cifar10 --model cnn`, on CIFAR-10), each on an
eighth of the images. Each seed is run twice: once undisturbed, once with two deaths. One peer is
killed in the middle of a round after a third of the rounds, another after two thirds. Neither
comes back. The final model of each run is measured on the whole test set, and the two accuracies
of a seed are compared. With --results each finished run is saved, and a saved run is not repeated.
"""

import argparse
import json
import math
import os
import random
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from scipy import stats

from swarm.core.session import SessionSpec
from swarm.learning.data_config import DataConfig
from swarm.learning.federation import jobs
from swarm.peer.processes.learner_worker import open_worker
from tests.harness.faulty_swarm import READY_WITHIN_S, ROUND_WITHIN_S, FaultySwarm

NUM_PEERS = 8
TRAINING = {
    "digits": ("--local-epochs", "4", "--batch-size", "16"),
    "cifar10": ("--local-epochs", "1", "--batch-size", "50", "--learning-rate-decay", "0.97"),
}


def main() -> int:
    """Print the comparison, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--model", default="mlp", choices=["mlp", "cnn", "lenet"])
    parser.add_argument("--dataset", default="digits", choices=list(TRAINING))
    parser.add_argument("--data-dir", default=None, help="folder with cifar-10-batches-bin/")
    parser.add_argument("--results", type=Path, default=None, help="JSON lines file; see above")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    calm, hurt = [], []
    with _progress() as progress:
        task = progress.add_task("accuracy under churn", total=2 * options.seeds)
        for seed in range(options.seeds):
            for num_kills, accuracies in ((0, calm), (2, hurt)):
                accuracies.append(_kept_accuracy(options, seed, num_kills))
                progress.advance(task)
    lost = [undisturbed - disturbed for undisturbed, disturbed in zip(calm, hurt, strict=True)]
    mean, half = interval_95(lost)
    results = {
        "dataset": options.dataset,
        "seeds": options.seeds,
        "rounds": options.rounds,
        "model": options.model,
        "accuracy_undisturbed": round(statistics.mean(calm), 4),
        "accuracy_with_two_killed": round(statistics.mean(hurt), 4),
        "accuracy_lost": round(mean, 4),
        "accuracy_lost_95_percent": [round(mean - half, 4), round(mean + half, 4)],
        "by_seed": [round(value, 4) for value in lost],
        "load_average": [round(value, 1) for value in os.getloadavg()],
    }
    for name, value in results.items():
        print(f"{name:28} {value}")
    if options.json:
        print(json.dumps(results))
    return 0


def _kept_accuracy(options: argparse.Namespace, seed: int, num_kills: int) -> float:
    """Return the accuracy of a saved run, or make the run now and save its accuracy."""
    run = {
        **{name: getattr(options, name) for name in ("dataset", "model", "rounds")},
        "seed": seed,
        "num_kills": num_kills,
    }
    results: Path | None = options.results
    if results is not None and results.exists():
        for kept in map(json.loads, results.read_text().splitlines()):
            if kept["run"] == run:
                return float(kept["accuracy"])
    accuracy = final_accuracy(options, seed, num_kills)
    if results is not None:
        with results.open("a") as lines:
            print(json.dumps({"run": run, "accuracy": accuracy}), file=lines)
    return accuracy


def final_accuracy(options: argparse.Namespace, seed: int, num_kills: int) -> float:
    """Make one run and measure its last head on the whole test set."""
    session = [
        *("--dataset", options.dataset, "--model", options.model),
        *("--rounds", str(options.rounds), *TRAINING[options.dataset], "--seed", str(seed)),
        *("--learning-rate", "0.05"),  # of the numbers in README.md
    ]
    data = ["--data-dir", options.data_dir] if options.data_dir else []
    draw = random.Random(seed)  # noqa: S311 - whom to kill is no secret
    victims = draw.sample(range(NUM_PEERS), num_kills)
    with FaultySwarm(NUM_PEERS, session, data) as swarm:
        all_peers = range(NUM_PEERS)
        swarm.wait_common_head(all_peers, timeout_s=READY_WITHIN_S)
        for number, victim in enumerate(victims, 1):
            swarm.wait_adopted(swarm.running, number * options.rounds // (num_kills + 1))
            swarm.kill(victim)
        swarm.wait_adopted(swarm.running, options.rounds, ROUND_WITHIN_S * options.rounds)
        head = swarm.wait_common_head(swarm.running)
        folder = swarm.state_dir(swarm.running[0]) / "blobs"
        weights = folder / head.blob.digest[:2] / head.blob.digest
        return trio.run(_measure, swarm.spec, weights, options.data_dir)


async def _measure(spec: SessionSpec, weights: Path, data_dir: str | None) -> float:
    data = DataConfig(spec.dataset, data_dir=data_dir)  # the whole, not only a peer's part
    whole = jobs.Initialise(spec, data)
    async with open_worker() as worker:
        await worker.initialise(whole)
        return (await worker.evaluate(jobs.EvaluateWeights(str(weights)))).accuracy


def interval_95(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half width of its 95 % confidence interval (Student's t).

    Example:
        >>> mean, half = interval_95([1.0, 2.0, 3.0])
        >>> round(mean, 2), round(half, 2)
        (2.0, 2.48)
    """
    if len(values) < 2:
        return statistics.mean(values), math.inf
    t = float(stats.t.ppf(0.975, len(values) - 1))
    return statistics.mean(values), t * statistics.stdev(values) / math.sqrt(len(values))


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


if __name__ == "__main__":
    sys.exit(main())
