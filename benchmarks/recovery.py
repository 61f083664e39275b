"""`python -m benchmarks.recovery`: what each kind of death costs a running swarm.

Six peers train on digits for as long as it takes. Four faults follow each other, again and again.
Each fault hits a round in which all others are done and only the victim is awaited. Only its
death can close that round, so the figures are those of the worst moment.
"""

import argparse
import json
import math
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.harness.faulty_swarm import READY_WITHIN_S, FaultySwarm
from tests.harness.lineages import read_run
from tests.harness.swarm_processes import now_s

NUM_PEERS = 6
KILLED = ("trainer", "aggregator", "root")
NOTICED = "dead peer noticed"
BACK = "restarted peer back in a cohort"
BACK_READY = "... of which since it could learn again"
FROZEN = "round closed after a trainer froze"
TARGETS_S = {
    "round closed after a trainer died": 2.0,
    "round closed after an aggregator died": 4.0,
    "round closed after a root died": 4.0,
    FROZEN: 8.0,
}
"""Targets for 95th percentiles; for the frozen trainer, for the worst value."""

Samples = dict[str, list[float]]


def main() -> int:
    """Print a table, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20, help="repetitions of each fault")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    console = Console(stderr=True)
    samples: Samples = defaultdict(list)
    with FaultySwarm(NUM_PEERS) as swarm, _progress(console) as progress:
        task = progress.add_task("starting", total=4 * options.repeats)
        all_peers = range(NUM_PEERS)
        swarm.wait_common_head(all_peers, all_peers, timeout_s=READY_WITHIN_S)
        started_s = now_s()
        for _ in range(options.repeats):
            for role in KILLED:
                progress.update(task, description=f"a {role} dies")
                _kill(swarm, role, samples)
                progress.advance(task)
            progress.update(task, description="a trainer freezes")
            _freeze(swarm, samples)
            progress.advance(task)
        newest = swarm.wait_common_head(all_peers, all_peers)
        took_s = now_s() - started_s
        run = read_run(swarm.state_dir(index) for index in all_peers)
    results = {
        "repeats": options.repeats,
        "seconds": {name: _summary(values) for name, values in samples.items()},
        "rounds": newest.round,
        "rounds_missing": sorted({*range(newest.round + 1)} - {*run.rounds}),
        "rounds_lost": run.lost_rounds,
        "late_heads_of_frozen_authors": len(run.late),
        "contributions_counted_twice": len(run.counted_twice),
        "run_s": round(took_s),
        "load_average": [round(value, 1) for value in os.getloadavg()],
    }
    _print_table(Console(), samples, results)
    if options.json:
        print(json.dumps(results))
    return 0


def _kill(swarm: FaultySwarm, role: str, samples: Samples) -> None:
    awaited = swarm.wait_awaited([role])
    (victim,) = awaited.held_back
    killed_s = now_s()
    swarm.kill(victim)
    closed = swarm.wait_closed(awaited)
    article = "an" if role[0] in "aeiou" else "a"
    samples[NOTICED].append(closed.noticed_s[swarm.peer_id(victim)] - killed_s)
    samples[f"round closed after {article} {role} died"].append(closed.all_s - killed_s)
    restarted_s = now_s()
    swarm.restart(victim)
    back = swarm.wait_in_cohort(victim, awaited.head.round)
    ready = swarm.wait_said(victim, "ready", READY_WITHIN_S)
    samples[BACK].append(back.at_s - restarted_s)
    samples[BACK_READY].append(back.at_s - ready.at_s)


def _freeze(swarm: FaultySwarm, samples: Samples) -> None:
    awaited = swarm.wait_awaited(["trainer"])
    (victim,) = awaited.held_back
    frozen_s = now_s()
    swarm.freeze(victim)
    closed = swarm.wait_closed(awaited)
    samples[FROZEN].append(closed.all_s - frozen_s)
    swarm.thaw(victim)
    all_peers = range(NUM_PEERS)
    swarm.wait_common_head(all_peers, all_peers, after_round=awaited.head.round)


def _summary(values: Sequence[float]) -> dict[str, float | int]:
    return {
        "p50": round(statistics.median(values), 2),
        "p95": round(percentile(values, 0.95), 2),
        "worst": round(max(values), 2),
        "repeats": len(values),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _print_table(console: Console, samples: Samples, results: dict[str, object]) -> None:
    table = Table(title=f"Recovery: {results['repeats']} of each fault, six peers, digits, cnn")
    for heading in ("seconds", "p50", "p95", "worst", "target", "repeats"):
        table.add_column(heading, justify="left" if heading == "seconds" else "right")
    for name, values in samples.items():
        found = _summary(values)
        target = TARGETS_S.get(name)
        table.add_row(
            name,
            *(f"{found[key]:.2f}" for key in ("p50", "p95", "worst")),
            f"{target:.0f}" if target is not None else "",
            str(found["repeats"]),
        )
    console.print(table)
    console.print(
        f"{results['rounds']} rounds in {results['run_s']} s; missing: "
        f"{results['rounds_missing']}; lost: {results['rounds_lost']}; contributions "
        f"counted twice: {results['contributions_counted_twice']}; load {results['load_average']}"
    )


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


if __name__ == "__main__":
    sys.exit(main())
