"""`python -m benchmarks.search`: the cost of searching across peers, beside other engines."""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.searching import accuracy, broker_runs, deaths, throughput
from swarm.peer.host.logs import configure_logs

Part = tuple[Callable[[argparse.Namespace, Progress], Any], Callable[[Any], Table]]

PARTS: dict[str, Part] = {
    "throughput": (
        lambda options, progress: throughput.measure(options.trials, options.repeats, progress),
        throughput.table,
    ),
    "kills": (
        lambda options, progress: deaths.measure_kills(options.repeats, progress),
        deaths.kills_table,
    ),
    "takeovers": (
        lambda options, progress: deaths.measure_takeovers(options.takeovers, progress),
        deaths.takeovers_table,
    ),
    "brokers": (
        lambda options, progress: broker_runs.measure(
            options.broker, options.trials, options.repeats, progress
        ),
        broker_runs.table,
    ),
    "accuracy": (lambda options, progress: accuracy.measure(progress), accuracy.table),
}


def main() -> int:
    """Print tables, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"any of {', '.join(PARTS)}; default: all")
    parser.add_argument("--trials", type=int, default=300, help="for each timed run")
    parser.add_argument("--repeats", type=int, default=3, help="for each timed run")
    parser.add_argument("--takeovers", type=int, default=20, help="number of coordinators to kill")
    parser.add_argument(
        "--broker", action="append", default=[], metavar="URL", help="for part brokers; repeatable"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"parts must be among {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    configure_logs("warning", "text")
    console = Console(stderr=True)
    found: dict[str, Any] = {}
    for name in options.parts or PARTS:
        measure, table = PARTS[name]
        with _progress(console) as progress:
            found[name] = measure(options, progress)
        Console(width=120).print(table(found[name]))
    if options.json:
        print(json.dumps(found))
    return 0


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


if __name__ == "__main__":
    sys.exit(main())
