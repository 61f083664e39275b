"""`python -m benchmarks.configurations`: swarms of other sizes, with other trees and other data.

Each configuration is a swarm of real processes on this machine that trains `lenet`. Each peer has
--examples images of its own, and all peers share the machine's cores. So more peers see more
images, and take longer. Wall-clock time also depends on what else the machine does; the peers' CPU
seconds depend on it less. Configurations run in a shuffled order, so that an hour of high load is
not mistaken for a property of swarms of one size. With --results the results are saved as they
come. Another start runs only what is missing, at most --at-most configurations. The examples are
those of CIFAR-10, or of its stand-in where CIFAR-10 is missing. The plot needs the extra `plots`.
"""

import argparse
import itertools
import json
import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.configurations_plot import plot
from benchmarks.rounds import times_of
from tests.harness.swarm_processes import SwarmProcesses, now_s

FIRST_ROUND = 2
"""Round 1 warms up."""
START_WITHIN_S = 300.0
ROUND_WITHIN_S = 60.0
TEST_EXAMPLES = 2000
"""In all; each peer gets an equal part."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One swarm."""

    peers: int
    cluster_size: int
    partitioner: str

    def __str__(self) -> str:
        return f"{self.peers} peers in clusters of {self.cluster_size}, {self.partitioner}"

    @property
    def tiers(self) -> int:
        """Number of tiers of its tree: clusters are clustered until one is left."""
        clusters, tiers = -(-self.peers // self.cluster_size), 1
        while clusters > 1:
            clusters, tiers = -(-clusters // self.cluster_size), tiers + 1
        return tiers


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured."""

    peers: int
    cluster_size: int
    tiers: int
    partitioner: str
    dataset: str
    rounds: int
    examples: int
    """Training images of each peer."""
    round_median_s: float
    round_longest_s: float
    cpu_s_per_peer_and_round: float
    """Of the peer's network process and of its worker together."""
    mb_sent_per_peer_and_round: float
    """Weights and messages."""
    mb_of_weights_per_peer_and_round: float
    accuracy: float
    """Accuracy of the last head, over the test shards of all peers."""

    @property
    def configuration(self) -> Configuration:
        """The configuration that was run."""
        return Configuration(self.peers, self.cluster_size, self.partitioner)


TREES = ((2, 2), (4, 2), (4, 4), (6, 2), (6, 3), (6, 6), (9, 3), (12, 3), (12, 4), (12, 6))
"""Peers and cluster size: one tier to three."""
CONFIGURATIONS = tuple(
    Configuration(peers, size, partitioner)
    for peers, size in TREES
    for partitioner in ("iid", "dirichlet")
)


def main() -> None:
    """Print a table, write a plot if asked for, and with --json one JSON object at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--examples", type=int, default=500, help="training images of each peer")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data-dir", default=None, help="folder with cifar-10-batches-bin/")
    parser.add_argument("--peers-max", type=int, default=12, help="skip larger swarms")
    parser.add_argument("--at-most", type=int, default=None, help="run at most this number now")
    parser.add_argument("--seed", type=int, default=0, help="seed of the order")
    parser.add_argument("--results", type=Path, default=None, help="JSON lines file; see above")
    parser.add_argument("--plot", type=Path, default=None, help="plot to this .png or .svg")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.rounds < FIRST_ROUND + 1:
        parser.error(f"--rounds must be at least {FIRST_ROUND + 1}, got {options.rounds}")
    chosen = [c for c in CONFIGURATIONS if c.peers <= options.peers_max]
    results = measure_all(chosen, options)
    Console(width=120).print(table_of(results))
    if options.plot is not None:
        plot(results, options.plot)
        print(f"plot: {options.plot}")
    if options.json:
        print(json.dumps({"configurations": [asdict(result) for result in results]}))


def measure_all(
    configurations: Sequence[Configuration], options: argparse.Namespace
) -> list[Result]:
    """Run what is missing, in a shuffled order; return all results in the order given."""
    found = {result.configuration: result for result in read_results(options)}
    missing = [c for c in configurations if c not in found]
    random.Random(options.seed).shuffle(missing)  # noqa: S311 - an order, not a secret
    for number, configuration in enumerate(missing[: options.at_most], 1):
        print(f"{number}/{len(missing)}: {configuration}", flush=True)
        begun_s = now_s()
        result = measure(configuration, options)
        found[configuration] = result
        print(
            f"  {result.round_median_s:.2f} s a round, accuracy {result.accuracy:.1%}; "
            f"{now_s() - begun_s:.0f} s in all",
            flush=True,
        )
        if options.results is not None:
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(result)) + "\n")
    return [found[c] for c in configurations if c in found]


def read_results(options: argparse.Namespace) -> list[Result]:
    """Read the results of an earlier start with the same sizes.

    Raises:
        SystemExit: The results have other sizes.
    """
    if options.results is None or not options.results.exists():
        return []
    lines = options.results.read_text(encoding="utf-8").splitlines()
    results = [Result(**json.loads(line)) for line in lines]
    for result in results:
        if (result.rounds, result.examples) != (options.rounds, options.examples):
            raise SystemExit(
                f"{options.results} has --rounds {result.rounds} --examples {result.examples}: "
                "use these values, or another --results"
            )
    return results


def measure(configuration: Configuration, options: argparse.Namespace) -> Result:
    """Run one swarm to its end."""
    num_peers = configuration.peers
    session = {
        "model": "lenet",
        "dataset": options.dataset,
        "rounds": options.rounds,
        "min-peers": num_peers,
        "cluster-size": configuration.cluster_size,
        "partitioner": configuration.partitioner,
        "examples-per-peer-max": options.examples,
        "test-examples-per-peer-max": TEST_EXAMPLES // num_peers,
        "batch-size": 25,
        "learning-rate": 0.02,
    }
    flags = [word for name, value in session.items() for word in (f"--{name}", str(value))]
    data = ["--data-dir", options.data_dir] if options.data_dir else []
    with SwarmProcesses(num_peers, flags, [*data, "--exit-when-done"]) as swarm:
        swarm.wait_event("adopted", START_WITHIN_S, 1, round=1)
        before_s = cpu_seconds(swarm)
        swarm.wait_event("adopted", options.rounds * ROUND_WITHIN_S, 1, round=options.rounds)
        cpu_s = cpu_seconds(swarm) - before_s  # the first peer to finish still serves the others
        swarm.wait_ended(2 * ROUND_WITHIN_S)
        lines, reports = swarm.lines, swarm.reports()
    adopted = [max(times_of(lines, "adopted", "round", r)) for r in range(options.rounds + 1)]
    gaps_s = [after - before for before, after in itertools.pairwise(adopted)][FIRST_ROUND - 1 :]
    shards = [(report["accuracy"], report["num_test_examples"]) for report in reports]
    sent, weights = (
        sum(report[field] for report in reports) / 1e6 / num_peers / options.rounds
        for field in ("bytes_sent", "blob_bytes_sent")
    )
    dataset = next(line.fields["dataset"] for line in lines if line.event == "session")
    return Result(
        peers=num_peers,
        cluster_size=configuration.cluster_size,
        tiers=configuration.tiers,
        partitioner=configuration.partitioner,
        dataset=dataset,
        rounds=options.rounds,
        examples=options.examples,
        round_median_s=round(statistics.median(gaps_s), 2),
        round_longest_s=round(max(gaps_s), 2),
        cpu_s_per_peer_and_round=round(cpu_s / num_peers / (options.rounds - 1), 3),
        mb_sent_per_peer_and_round=round(sent, 3),
        mb_of_weights_per_peer_and_round=round(weights, 3),
        accuracy=round(sum(a * n for a, n in shards) / sum(n for _, n in shards), 4),
    )


def cpu_seconds(swarm: SwarmProcesses) -> float:
    """CPU seconds that all peers and their workers have used so far."""
    workers = [line.fields["worker_pid"] for line in swarm.lines if line.event == "ready"]
    times = [psutil.Process(p).cpu_times() for p in (*swarm.pids(), *workers)]
    return sum(t.user + t.system for t in times)


def table_of(results: Sequence[Result]) -> Table:
    """A table with one row for each configuration."""
    table = Table(box=box.MARKDOWN)
    table.add_column("data")
    names = ("peers", "cluster size", "tiers", "s a round", "longest", "CPU s", "MB sent")
    for name in (*names, "of it weights", "accuracy"):
        table.add_column(name, justify="right")
    for r in results:
        table.add_row(
            *(r.partitioner, str(r.peers), str(r.cluster_size), str(r.tiers)),
            *(f"{r.round_median_s:.2f}", f"{r.round_longest_s:.2f}"),
            f"{r.cpu_s_per_peer_and_round:.2f}",
            f"{r.mb_sent_per_peer_and_round:.2f}",
            f"{r.mb_of_weights_per_peer_and_round:.2f}",
            f"{r.accuracy:.1%}",
        )
    return table


if __name__ == "__main__":
    main()
