"""`python -m benchmarks.trial_processes [--trials N] [--json]`: what a trial's process costs.

Runs short trials one after the other in a process for trials, as a peer's slot does, and compares
the time that passes with the time that the trials themselves take in that process.

Target: less than a tenth on top of trials of about 10 ms.
"""

import argparse
import json
import time

import trio

from swarm.learning.trials.records import TrialData, TrialTask
from swarm.peer.trials.worker import open_trial_worker

WARM_UP = 20
TASK = TrialTask("knn", {"n_neighbors": 3}, TrialData("digits", max_examples=600), "accuracy")


async def measure(num_trials: int) -> dict[str, float]:
    """Milliseconds of a trial, within its process and seen from here."""
    async with open_trial_worker() as worker:
        for _ in range(WARM_UP):
            await worker.run(TASK)
        inside_s = 0.0
        started_s = time.perf_counter()
        for _ in range(num_trials):
            outcome = await worker.run(TASK)
            assert outcome.error is None
            inside_s += outcome.duration_s
        passed_s = time.perf_counter() - started_s
    return {
        "trials": num_trials,
        "trial_ms": 1e3 * inside_s / num_trials,
        "with_process_ms": 1e3 * passed_s / num_trials,
        "overhead": passed_s / inside_s - 1,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trial_processes")
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="print one JSON object as last line")
    arguments = parser.parse_args()
    found = trio.run(measure, arguments.trials)
    print(
        f"{found['trial_ms']:.2f} ms a trial, {found['with_process_ms']:.2f} ms with its process: "
        f"{found['overhead']:.1%} more"
    )
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
