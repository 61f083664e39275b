"""`python -m benchmarks.soak`: a swarm with a death every 20 s, watched for leaks and stalls.

Six peers train on digits. Every 20 s one of four peers, chosen at random, is killed and started
again. The other two live for the whole time, so that their memory can be followed.
"""

import argparse
import itertools
import json
import os
import random
import statistics
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.harness.faulty_swarm import READY_WITHIN_S, FaultySwarm, resident_bytes
from tests.harness.lineages import read_run
from tests.harness.swarm_processes import now_s

NUM_PEERS = 6
SPARED = (1, 4)
KILL_EVERY_S = 20.0
SAMPLE_EVERY_S = 5.0
WARM_UP_S = 120.0
"""The first two minutes of a life show its start, not its slope."""
STUCK_AFTER_S = 30.0
"""Without a new head for this long, a round is stuck: its deadline is about ten seconds."""
_PAUSE = threading.Event()
"""Never set; this thread sleeps by waiting for it."""


@dataclass(slots=True)
class Memory:
    """Resident bytes of one process during one life."""

    peer: int
    kind: str
    pid: int
    samples: list[tuple[float, int]] = field(default_factory=list)


class MemoryWatch:
    """Samples the memory of peers and workers; call `tick` about once a second."""

    def __init__(self, swarm: FaultySwarm) -> None:
        self._swarm = swarm
        self._next_s = 0.0
        self.lives: dict[tuple[int, str, int], Memory] = {}

    def tick(self) -> None:
        """Take samples when they are due."""
        if now_s() < self._next_s:
            return
        self._next_s = now_s() + SAMPLE_EVERY_S
        for index in self._swarm.running:
            pids = {"peer": self._swarm.peers[index].process.pid}
            if self._swarm.peers[index].logged("ready", {}):
                pids["worker"] = self._swarm.worker_pid(index)
            for kind, pid in pids.items():
                self._sample(index, kind, pid)

    def _sample(self, index: int, kind: str, pid: int) -> None:
        try:
            size_bytes = resident_bytes(pid)
        except psutil.NoSuchProcess:
            return  # it was killed a moment ago
        life = self.lives.setdefault((index, kind, pid), Memory(index, kind, pid))
        life.samples.append((now_s(), size_bytes))

    def slopes(self, kind: str) -> dict[int, float | None]:
        """MB an hour by peer, in the longest of its lives after the warm-up."""
        found: dict[int, float | None] = {}
        for index in range(NUM_PEERS):
            lives = [m for m in self.lives.values() if (m.peer, m.kind) == (index, kind)]
            warm = [[s for s in m.samples if s[0] >= m.samples[0][0] + WARM_UP_S] for m in lives]
            longest = max(warm, key=len, default=[])
            found[index] = slope_mb_per_hour(longest) if len(longest) >= 12 else None
        return found

    def last_mb(self, kind: str, index: int) -> float:
        """Memory of a peer's current process."""
        lives = [m for m in self.lives.values() if (m.peer, m.kind) == (index, kind)]
        return lives[-1].samples[-1][1] / 1e6 if lives else 0.0


def slope_mb_per_hour(samples: Sequence[tuple[float, int]]) -> float:
    """Least-squares slope of (seconds, bytes).

    Example:
        >>> slope_mb_per_hour([(0.0, 0), (1800.0, 1_000_000), (3600.0, 2_000_000)])
        2.0
    """
    fit = statistics.linear_regression([s for s, _ in samples], [b for _, b in samples])
    return round(fit.slope * 3600 / 1e6, 1)


def main() -> int:
    """Print a table, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    all_peers = range(NUM_PEERS)
    with FaultySwarm(NUM_PEERS) as swarm, _progress() as progress:
        first = swarm.wait_common_head(all_peers, all_peers, timeout_s=READY_WITHIN_S)
        watch = MemoryWatch(swarm)
        kills = hurt(swarm, watch, options, progress)
        last = swarm.wait_common_head(all_peers, all_peers, timeout_s=READY_WITHIN_S)
        run = read_run(swarm.state_dir(index) for index in all_peers)
        waits_s = waits_for_heads(swarm)
    results = {
        "minutes": options.minutes,
        "kills": kills,
        "rounds": last.round - first.round,
        "round_p50_s": round(statistics.median(waits_s), 2),
        "longest_wait_for_a_head_s": round(max(waits_s), 2),
        "stuck_rounds": sum(wait_s > STUCK_AFTER_S for wait_s in waits_s),
        "rounds_missing": sorted({*range(last.round + 1)} - {*run.rounds}),
        "rounds_lost": run.lost_rounds,
        "contributions_counted_twice": len(run.counted_twice),
        "peer_mb": {i + 1: round(watch.last_mb("peer", i)) for i in all_peers},
        "peer_mb_per_hour": {i + 1: s for i, s in watch.slopes("peer").items()},
        "worker_mb": {i + 1: round(watch.last_mb("worker", i)) for i in all_peers},
        "worker_mb_per_hour": {i + 1: s for i, s in watch.slopes("worker").items()},
        "load_average": [round(value, 1) for value in os.getloadavg()],
    }
    _print_table(results)
    if options.json:
        print(json.dumps(results))
    return 0


def hurt(
    swarm: FaultySwarm, watch: MemoryWatch, options: argparse.Namespace, progress: Progress
) -> int:
    """Kill and restart until the time is up; return the number of kills."""
    draw = random.Random(options.seed)  # noqa: S311 - whom to kill is no secret
    others = [index for index in range(NUM_PEERS) if index not in SPARED]
    started_s = now_s()
    next_s = started_s + KILL_EVERY_S
    task = progress.add_task("", total=60 * options.minutes)
    kills = 0
    while (done_s := now_s() - started_s) < 60 * options.minutes:
        said = f"{kills} kills, round {_round(swarm)}"
        progress.update(task, completed=done_s, description=said)
        watch.tick()
        if now_s() >= next_s:
            next_s += KILL_EVERY_S
            victim = draw.choice(others)
            swarm.kill(victim)
            swarm.restart(victim)
            kills += 1
        _PAUSE.wait(1.0)
    return kills


def waits_for_heads(swarm: FaultySwarm) -> list[float]:
    """Seconds between the heads that the spared peers adopted."""
    waits_s: list[float] = []
    for index in SPARED:
        times = [line.at_s for line in swarm.peers[index].lines if line.event == "adopted"]
        waits_s += [after_s - before_s for before_s, after_s in itertools.pairwise(times)]
    return waits_s


def _round(swarm: FaultySwarm) -> int:
    newest = swarm.newest(SPARED[0])
    return int(newest.fields["round"]) if newest is not None else 0


def _print_table(results: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"Memory over {results['minutes']:g} minutes")
    for heading in ("peer", "peer MB", "MB/hour", "worker MB", "MB/hour"):
        table.add_column(heading, justify="right")
    for number in results["peer_mb"]:
        name = f"{number}{' (never killed)' if number - 1 in SPARED else ''}"
        slopes = [results[f"{kind}_mb_per_hour"][number] for kind in ("peer", "worker")]
        shown = ["" if slope is None else f"{slope:+.1f}" for slope in slopes]
        sizes = [str(results[f"{kind}_mb"][number]) for kind in ("peer", "worker")]
        table.add_row(name, sizes[0], shown[0], sizes[1], shown[1])
    console.print(table)
    for key in (
        *("kills", "rounds", "round_p50_s", "longest_wait_for_a_head_s", "stuck_rounds"),
        *("rounds_missing", "rounds_lost", "contributions_counted_twice", "load_average"),
    ):
        console.print(f"{key.replace('_', ' '):32} {results[key]}")


def _progress() -> Progress:
    columns = (TextColumn("{task.description:24}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


if __name__ == "__main__":
    sys.exit(main())
