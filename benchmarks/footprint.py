"""`python -m benchmarks.footprint`: what an idle peer's network process costs.

First one peer alone is timed until it listens. Then six peers of a session wait for a seventh:
they are connected, their workers are ready, and there is nothing to do.
"""

import argparse
import json
import statistics
import time

import psutil

from tests.harness.swarm_processes import SwarmProcesses

NUM_PEERS = 6
NUM_STARTS = 5
SETTLE_S = 10.0
"""Discovery slows down over the first quiet seconds."""


def main() -> None:
    """Print a table, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = measure(options.seconds)
    for name, value in results.items():
        print(f"{name:32} {value}")
    if options.json:
        print(json.dumps(results))


def measure(seconds: float) -> dict[str, float]:
    """Start one network process a few times, then measure six idle ones for some seconds."""
    session = ["--dataset", "digits", "--model", "mlp", "--min-peers", str(NUM_PEERS + 1)]
    alone_s = [_time_start(session) for _ in range(NUM_STARTS)]
    with SwarmProcesses(NUM_PEERS, session) as swarm:
        swarm.wait_event("listening", 120)
        listening_s = [
            line.at_s - swarm.started_s for line in swarm.lines if line.event == "listening"
        ]
        swarm.wait_event("ready", 300)
        time.sleep(SETTLE_S)  # noqa: TID251 - measuring calm takes time
        processes = [psutil.Process(peer.process.pid) for peer in swarm.peers]
        for process in processes:
            process.cpu_percent()
        time.sleep(seconds)  # noqa: TID251 - measuring calm takes time
        cpu = [process.cpu_percent() for process in processes]
        rss = [process.memory_info().rss / 1e6 for process in processes]
    return {
        "alone_listening_median_s": round(statistics.median(alone_s), 2),
        "alone_listening_worst_s": round(max(alone_s), 2),
        "listening_first_s": round(min(listening_s), 2),
        "listening_last_s": round(max(listening_s), 2),
        "rss_mb_max": round(max(rss), 1),
        "idle_cpu_percent_mean": round(sum(cpu) / len(cpu), 2),
        "idle_cpu_percent_max": round(max(cpu), 2),
    }


def _time_start(session: list[str]) -> float:
    """Seconds from the command until the peer listens; nothing else starts meanwhile."""
    with SwarmProcesses(1, session, share_fork_server=False) as swarm:
        swarm.wait_event("listening", 120)
        (line,) = (line for line in swarm.lines if line.event == "listening")
        return line.at_s - swarm.started_s


if __name__ == "__main__":
    main()
