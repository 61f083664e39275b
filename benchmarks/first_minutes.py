"""`python -m benchmarks.first_minutes`: how soon `./run.sh` shows that the model learns.

Starts the launcher as `./run.sh --once` does, with its defaults, and reads the peers' log lines.
Seconds count from "round 1 begins": the first peer holds the untrained model. A point of the test
curve is there once every peer has measured its round's model; its accuracy is their mean, weighted
by their test examples. `--busy 8` runs eight processes beside it that never rest.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

NUM_PEERS = 6
HALF = 0.5
RISE = 0.02
"""A point is above the untrained model's if it is better by this much."""


@dataclass(frozen=True, slots=True)
class Point:
    """The test accuracy of one round's model, and when all peers had measured it."""

    round: int
    after_s: float
    """Seconds since round 1 began."""
    accuracy: float


@dataclass(slots=True)
class Curve:
    """Collects the peers' measurements from their log lines."""

    began_s: float | None = None
    _shards: dict[int, dict[str, tuple[float, int]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    points: list[Point] = field(default_factory=list)

    def take(self, peer: str, line: dict[str, object], at_s: float) -> Point | None:
        """Take note of a log line; return the point that it completes, if any."""
        if line.get("event") == "adopted" and self.began_s is None:
            self.began_s = at_s
        number, accuracy = line.get("evaluated_round"), line.get("accuracy")
        if self.began_s is None or not isinstance(number, int) or not isinstance(accuracy, float):
            return None
        shards = self._shards[number]
        is_new = peer not in shards
        shards[peer] = (accuracy, int(str(line["num_test_examples"])))
        if not is_new or len(shards) < NUM_PEERS:
            return None
        total = sum(n for _, n in shards.values())
        mean = sum(a * n for a, n in shards.values()) / total
        self.points.append(Point(number, round(at_s - self.began_s, 1), round(mean, 4)))
        return self.points[-1]

    def first(self, accuracy: float) -> float | None:
        """Seconds to the first trained model with this accuracy, or None."""
        reached = (p.after_s for p in self.points if p.round > 0 and p.accuracy >= accuracy)
        return next(reached, None)

    def first_rise(self) -> float | None:
        """Seconds to the first point above the untrained model's, or None."""
        untrained = [p.accuracy for p in self.points if p.round == 0]
        return self.first(untrained[0] + RISE) if untrained else None


def main() -> None:
    """Print each point as it is measured, then a summary; with --json one JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", help="folder with cifar-10-batches-bin/")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--busy", type=int, default=0, help="processes that never rest")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"load average at the start: {load:.1f} on {os.cpu_count()} cores", flush=True)
    curve, notable = Curve(), list[str]()
    with busy(options.busy), tempfile.TemporaryDirectory() as runs:
        for peer, line, at_s in log_lines(_command(options, runs)):
            if line.get("event") in ("takeover", "partition", "lost", "job failed"):
                notable.append(f"{peer}: {line['event']}: {line.get('detail', '')}")
            point = curve.take(peer, line, at_s)
            if point is not None:
                print(
                    f"{point.after_s:7.1f} s  round {point.round:3}  {point.accuracy:.1%}",
                    flush=True,
                )
    results = {
        "benchmark": "first_minutes",
        "dataset": options.dataset,
        "busy": options.busy,
        "cores": os.cpu_count(),
        "load_average_at_start": round(load, 1),
        "first_rising_point_s": curve.first_rise(),
        "half_right_s": curve.first(HALF),
        "last_accuracy": curve.points[-1].accuracy if curve.points else None,
        "takeovers_and_losses": notable,
    }
    for name, value in results.items():
        print(f"{name:24} {value}")
    if options.json:
        print(json.dumps(results | {"curve": [asdict(point) for point in curve.points]}))


def _command(options: argparse.Namespace, runs: str) -> list[str]:
    data = ["--data-dir", options.data_dir] if options.data_dir else []
    return [
        *(sys.executable, "-m", "swarm.launch", "--once", "--no-docker", "--no-dashboard"),
        *("--dataset", options.dataset, "--rounds", str(options.rounds)),
        *("--seed", str(options.seed), "--runs-dir", runs, "--verbose", *data),
    ]


@contextmanager
def busy(num_processes: int) -> Iterator[None]:
    """Run processes that never rest; each ends with this one."""
    spin = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: sum(range(10**5))"
    processes = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(num_processes)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def log_lines(command: list[str]) -> Iterable[tuple[str, dict[str, object], float]]:
    """Run the launcher; yield each log line of a peer, with its time by the wall clock."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        for text in launcher.stdout:
            peer, _, logged = text.partition("  ")
            if not logged.startswith("{"):
                continue
            line = json.loads(logged)
            at = datetime.datetime.fromisoformat(line["timestamp"])
            yield peer, line, at.timestamp()


if __name__ == "__main__":
    main()
