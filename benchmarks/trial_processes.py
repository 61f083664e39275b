"""`python -m benchmarks.trial_processes [--trials N] [--json]`: what a trial's process costs.

Runs short trials in a trial process, as a peer's slot does. It compares the time that passes with
the time that the trials themselves take in that process. Trials run one after the other, and then
with the next one always waiting in the process, as in searches.

Target: less than a tenth on top of trials of about 10 ms.
"""

import argparse
import json
import time

import trio

from swarm.learning.estimators.table_source import TableSource
from swarm.learning.search.trial_records import TrialTask
from swarm.peer.processes.trial_pool import PER_PROCESS
from swarm.peer.processes.trial_worker import TrialWorker, open_trial_worker

WARM_UP = 20
TASK = TrialTask("knn", {"n_neighbors": 3}, TableSource("digits", max_examples=600), "accuracy")


async def measure(num_trials: int) -> dict[str, float]:
    """Milliseconds per trial, within its process and seen from here."""
    async with open_trial_worker() as worker:
        for _ in range(WARM_UP):
            await worker.run(TASK)
        alone = await _timed(worker, num_trials, at_once=1)
        queued = await _timed(worker, num_trials, at_once=PER_PROCESS)
    return {
        "trials": num_trials,
        "trial_ms": 1e3 * alone[0] / num_trials,
        "one_by_one_ms": 1e3 * alone[1] / num_trials,
        "one_by_one_overhead": alone[1] / alone[0] - 1,
        "queued_ms": 1e3 * queued[1] / num_trials,
        "queued_overhead": queued[1] / queued[0] - 1,
    }


async def _timed(worker: TrialWorker, num_trials: int, at_once: int) -> tuple[float, float]:
    """Seconds within the process, and seconds that passed here."""
    inside_s = 0.0
    left = num_trials

    async def run_some() -> None:
        nonlocal inside_s, left
        while left:
            left -= 1
            outcome = await worker.run(TASK)
            assert outcome is not None
            assert outcome.error is None
            inside_s += outcome.duration_s

    started_s = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(run_some)
    return inside_s, time.perf_counter() - started_s


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trial_processes")
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="print one JSON object as last line")
    arguments = parser.parse_args()
    found = trio.run(measure, arguments.trials)
    print(
        f"{found['trial_ms']:.2f} ms a trial; one by one {found['one_by_one_ms']:.2f} ms "
        f"({found['one_by_one_overhead']:.1%} more), with the next one waiting "
        f"{found['queued_ms']:.2f} ms ({found['queued_overhead']:.1%} more)"
    )
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
