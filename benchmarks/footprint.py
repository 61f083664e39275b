"""`python -m benchmarks.footprint`: what an idle peer costs, beside its worker.

Six peers of a session that waits for a seventh: connected, workers ready, nothing to do.
"""

import argparse
import json
import time

import psutil

from benchmarks.swarm_processes import SwarmProcesses

NUM_PEERS = 6
SETTLE_S = 10.0
"""Discovery slows down over the first seconds of calm."""


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
    """Watch six idle network processes for some seconds."""
    session = ["--dataset", "digits", "--model", "mlp", "--min-peers", str(NUM_PEERS + 1)]
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
        "listening_first_s": round(min(listening_s), 2),
        "listening_last_s": round(max(listening_s), 2),
        "rss_mb_max": round(max(rss), 1),
        "idle_cpu_percent_mean": round(sum(cpu) / len(cpu), 2),
        "idle_cpu_percent_max": round(max(cpu), 2),
    }


if __name__ == "__main__":
    main()
