"""`python -m benchmarks.rounds`: what a round costs on top of the training in it.

Workload W: six peers on one machine, 2,000 CIFAR-10 images each (iid), 2,000 test images split
among them, batch 50, one epoch a round, SGD 0.02 momentum 0.9, 10 rounds. Medians are over
rounds 3 to 10. First, in the same run, the same six trainings are timed without any exchange.
"""

import argparse
import itertools
import json
import statistics
import tempfile
from pathlib import Path

import trio

from swarm.core.session import SessionSpec
from swarm.learning.data_config import DataConfig
from swarm.learning.federation import jobs
from swarm.peer.processes.learner_worker import open_worker
from tests.harness.swarm_processes import Line, SwarmProcesses

NUM_PEERS = 6
FIRST_ROUND = 3
"""Earlier rounds warm up."""


def main() -> None:
    """Print a table, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="cnn", choices=["cnn", "lenet"])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data-dir", default=None, help="folder with cifar-10-batches-bin/")
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = measure(options)
    for name, value in results.items():
        print(f"{name:42} {value}")
    if options.json:
        print(json.dumps(results))


def measure(options: argparse.Namespace) -> dict[str, float | int | str]:
    """Time six trainings alone, then a swarm, and compare."""
    alone_s = trio.run(time_unsynchronised, options)
    session = [
        *("--model", options.model, "--dataset", options.dataset, "--rounds", str(options.rounds)),
        *("--min-peers", str(NUM_PEERS), "--examples-per-peer-max", str(options.examples)),
        *("--test-examples-per-peer-max", "333", "--batch-size", "50"),
        *("--learning-rate", "0.02", "--momentum", "0.9"),
    ]
    data = ["--data-dir", options.data_dir] if options.data_dir else []
    with SwarmProcesses(NUM_PEERS, session, [*data, "--exit-when-done", "--measure-lag"]) as swarm:
        swarm.wait_ended(timeout_s=300 + 30 * options.rounds)
        return summarise(swarm, options, alone_s)


def summarise(
    swarm: SwarmProcesses, options: argparse.Namespace, alone_s: float
) -> dict[str, float | int | str]:
    """Compute the figures from log lines and reports."""
    lines, reports = swarm.lines, swarm.reports()
    adopted = [times_of(lines, "adopted", "round", r) for r in range(options.rounds + 1)]
    trained = [times_of(lines, "trained", "round", r) for r in range(options.rounds + 1)]
    counted = range(FIRST_ROUND, options.rounds + 1)
    gaps_s = [max(adopted[r]) - max(trained[r]) for r in counted]
    rounds_s = [max(adopted[r]) - max(adopted[r - 1]) for r in counted]
    listening = [line.at_s for line in lines if line.event == "listening"]
    meshed = [
        line.at_s
        for line in lines
        if line.event == "connected" and line.fields["num_connected"] == NUM_PEERS - 1
    ]
    first_round_s = max(adopted[0]) - swarm.started_s
    model_bytes = 4 * {"cnn": 319_178, "lenet": 62_006}[options.model]
    per_round = _bytes_sent(lines, options.rounds) - _bytes_sent(lines, 1)
    per_round /= NUM_PEERS * (options.rounds - 1)
    shards = [(r["accuracy"], r["num_test_examples"]) for r in reports]
    round_s = statistics.median(rounds_s)
    return {
        "model": options.model,
        "dataset": options.dataset,
        "rounds": options.rounds,
        "training_end_to_head_median_s": round(statistics.median(gaps_s), 3),
        "training_end_to_head_worst_s": round(max(gaps_s), 3),
        "round_median_s": round(round_s, 3),
        "unsynchronised_round_s": round(alone_s, 3),
        "over_unsynchronised": round(round_s / alone_s, 3),
        "start_to_round_1_s": round(first_round_s, 2),
        "start_to_last_listening_s": round(max(listening) - swarm.started_s, 2),
        "last_listening_to_full_mesh_s": round(max(meshed[:NUM_PEERS]) - max(listening), 2),
        "blob_bytes_per_peer_and_round": round(per_round),
        "blob_bytes_over_model": round(per_round / model_bytes, 3),
        "accuracy": round(sum(a * n for a, n in shards) / sum(n for _, n in shards), 4),
        "distinct_heads": len({report["head_digest"] for report in reports}),
        "loop_lag_p99_ms": max(report["loop_lag_p99_ms"] for report in reports),
    }


def _bytes_sent(lines: list[Line], number: int) -> int:
    """Blob bytes all peers had sent when they announced their contribution to a round.

    By then all peers have the round's base, so the difference of two such sums is whole rounds.
    """
    return sum(
        line.fields["blob_bytes_sent"]
        for line in lines
        if line.event == "contributed" and line.fields["round"] == number
    )


def times_of(lines: list[Line], event: str, field: str, value: int) -> list[float]:
    """Times at which each peer first logged an event with this value in this field."""
    first: dict[int, float] = {}
    for line in lines:
        if line.event == event and line.fields.get(field) == value:
            first.setdefault(line.peer, line.at_s)
    return list(first.values())


async def time_unsynchronised(options: argparse.Namespace) -> float:
    """Median seconds for six workers to do one round's training each, with no exchange."""
    ends: list[list[float]] = [[] for _ in range(NUM_PEERS)]
    with tempfile.TemporaryDirectory() as folder:
        async with trio.open_nursery() as nursery:
            for index in range(NUM_PEERS):
                place = Path(folder) / str(index)
                place.mkdir()
                nursery.start_soon(_train_alone, index, options, place, ends[index])
    seconds = [b - a for times in ends for a, b in itertools.pairwise(times[1:])]
    return statistics.median(seconds)


async def _train_alone(
    index: int, options: argparse.Namespace, folder: Path, ends: list[float]
) -> None:
    spec = SessionSpec(
        model=options.model,
        dataset=options.dataset,
        examples_per_peer_max=options.examples,
        test_examples_per_peer_max=333,
        learning_rate=0.02,
    )
    data = DataConfig(
        dataset=options.dataset,
        data_dir=options.data_dir,
        cache_dir=str(Path.home() / ".cache" / "swarm"),
        partition_index=index,
        partition_count=NUM_PEERS,
    )
    async with open_worker() as worker:
        await worker.initialise(jobs.Initialise(spec, data))
        base = await worker.create_weights(jobs.CreateWeights(str(folder)))
        for number in range(1, options.rounds + 1):
            await worker.train(jobs.Train(base.path, number, str(folder)))
            ends.append(trio.current_time())


if __name__ == "__main__":
    main()
