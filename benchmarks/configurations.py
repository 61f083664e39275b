"""`python -m benchmarks.configurations`: how a swarm does with more peers, other trees and data.

Each configuration is a swarm of real processes on this machine that trains `lenet`; all peers
share its cores, so more peers take longer for the same examples each. Examples are those of
CIFAR-10, or of its stand-in where it cannot be had. The plot needs the extra `plots`.
"""

import argparse
import itertools
import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.rounds import times_of
from benchmarks.swarm_processes import SwarmProcesses

FIRST_ROUND = 2
"""Round 1 warms up."""
START_WITHIN_S = 300.0
ROUND_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Configuration:
    """One swarm."""

    peers: int
    cluster_size: int
    partitioner: str

    @property
    def tiers(self) -> int:
        """Of the tree that follows: clusters are clustered until one is left."""
        clusters, tiers = -(-self.peers // self.cluster_size), 1
        while clusters > 1:
            clusters, tiers = -(-clusters // self.cluster_size), tiers + 1
        return tiers


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    peers: int
    cluster_size: int
    tiers: int
    partitioner: str
    dataset: str
    round_median_s: float
    mb_sent_per_peer_and_round: float
    accuracy: float
    """Of the last head, over the test shards of all peers."""


CONFIGURATIONS = (
    Configuration(2, 2, "iid"),
    Configuration(2, 2, "dirichlet"),
    Configuration(4, 2, "iid"),
    Configuration(4, 4, "iid"),
    Configuration(6, 2, "iid"),
    Configuration(6, 3, "iid"),
    Configuration(6, 3, "dirichlet"),
    Configuration(6, 6, "iid"),
    Configuration(6, 6, "dirichlet"),
    Configuration(9, 3, "iid"),
    Configuration(12, 3, "iid"),
    Configuration(12, 3, "dirichlet"),
    Configuration(12, 4, "iid"),
    Configuration(12, 6, "iid"),
)


def main() -> None:
    """Print a table, write a plot if asked for, and with --json one JSON object at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--examples", type=int, default=500, help="of each peer")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data-dir", default=None, help="folder with cifar-10-batches-bin/")
    parser.add_argument("--first", type=int, default=len(CONFIGURATIONS), help="only so many")
    parser.add_argument("--plot", type=Path, default=None, help="write a .png or .svg here")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    for configuration in CONFIGURATIONS[: options.first]:
        results.append(measure(configuration, options))
        print(f"done: {results[-1]}", flush=True)
    Console(width=110).print(table_of(results))
    if options.plot is not None:
        plot(results, options.plot)
        print(f"plot: {options.plot}")
    if options.json:
        print(json.dumps({"configurations": [asdict(result) for result in results]}))


def measure(configuration: Configuration, options: argparse.Namespace) -> Result:
    """Run one swarm to its end."""
    session = {
        "model": "lenet",
        "dataset": options.dataset,
        "rounds": options.rounds,
        "min-peers": configuration.peers,
        "cluster-size": configuration.cluster_size,
        "partitioner": configuration.partitioner,
        "examples-per-peer-max": options.examples,
        "test-examples-per-peer-max": 1000 // configuration.peers,
        "learning-rate": 0.02,
    }
    flags = [word for name, value in session.items() for word in (f"--{name}", str(value))]
    data = ["--data-dir", options.data_dir] if options.data_dir else []
    with SwarmProcesses(configuration.peers, flags, [*data, "--exit-when-done"]) as swarm:
        swarm.wait_ended(START_WITHIN_S + options.rounds * ROUND_WITHIN_S)
        lines, reports = swarm.lines, swarm.reports()
    adopted = [max(times_of(lines, "adopted", "round", r)) for r in range(options.rounds + 1)]
    gaps_s = [after - before for before, after in itertools.pairwise(adopted)][FIRST_ROUND - 1 :]
    shards = [(report["accuracy"], report["num_test_examples"]) for report in reports]
    sent = sum(report["bytes_sent"] for report in reports)
    dataset = next(line.fields["dataset"] for line in lines if line.event == "session")
    return Result(
        configuration.peers,
        configuration.cluster_size,
        configuration.tiers,
        configuration.partitioner,
        dataset,
        round(statistics.median(gaps_s), 2),
        round(sent / 1e6 / configuration.peers / options.rounds, 3),
        round(sum(a * n for a, n in shards) / sum(n for _, n in shards), 4),
    )


def table_of(results: list[Result]) -> Table:
    """A row for each configuration."""
    table = Table(title=f"lenet on {results[0].dataset}")
    names = ("peers", "cluster size", "tiers", "data", "s a round", "MB sent", "accuracy")
    for name in names:
        table.add_column(name, justify="left" if name == "data" else "right")
    for r in results:
        numbers = (f"{r.round_median_s:.2f}", f"{r.mb_sent_per_peer_and_round:.2f}")
        table.add_row(
            *(str(r.peers), str(r.cluster_size), str(r.tiers), r.partitioner, *numbers),
            f"{r.accuracy:.1%}",
        )
    return table


def plot(results: list[Result], path: Path) -> None:
    """Three panels over the number of peers; a line for each cluster size and partitioner."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra that only plots need

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    panels = (
        ("round_median_s", "seconds a round (median)"),
        ("mb_sent_per_peer_and_round", "MB sent, a peer and round"),
        ("accuracy", "test accuracy after the last round"),
    )
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    series = sorted({(r.cluster_size, r.partitioner) for r in results})
    for axis, (field, label) in zip(axes, panels, strict=True):
        for number, (size, partitioner) in enumerate(series):
            chosen = [r for r in results if (r.cluster_size, r.partitioner) == (size, partitioner)]
            axis.plot(
                [r.peers for r in chosen],
                [getattr(r, field) for r in chosen],
                marker="osD^v<>P"[number % 8],
                linestyle="-" if partitioner == "iid" else "--",
                label=f"clusters of {size}, {partitioner}",
            )
        axis.set_xlabel("peers")
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.set_xticks(sorted({r.peers for r in results}))
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize="small")
    figure.suptitle(f"lenet on {results[0].dataset}, all peers on one machine")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
