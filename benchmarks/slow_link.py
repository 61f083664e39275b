"""`python -m benchmarks.slow_link`: what a peer behind a slow link costs the others.

Six peers in network namespaces train `cnn`. The mean time of a round at five of them is taken with
good links, then with the sixth limited to 1 Mbit/s each way, from the moment on that it has been
timed once. Needs root.
"""

import argparse
import json
from collections.abc import Sequence

from benchmarks.faults import READY_WITHIN_S, FaultySwarm
from benchmarks.wires import Wires

SIX = tuple(range(6))
TIMED_WITHIN_ROUNDS = 3


class WiredSwarm(FaultySwarm):
    """Peers that reach each other over `wires` only."""

    def __init__(self, wires: Wires, session: Sequence[str], options: Sequence[str]) -> None:
        self.wires = wires
        super().__init__(len(SIX), session, options)

    def ip(self, index: int) -> str:
        """The peer's address on the wires."""
        return self.wires.ip(index)

    def launch_prefix(self, index: int) -> Sequence[str]:
        """Into the peer's namespace."""
        return self.wires.prefix(index)


def main() -> None:
    """Print the figures, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data-dir", default=None, help="folder with cifar-10-batches-bin/")
    parser.add_argument("--examples", type=int, default=1000, help="of each peer")
    parser.add_argument("--model", default="cnn", choices=["cnn", "lenet"])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--mbit", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = measure(options)
    for name, value in results.items():
        print(f"{name:32} {value}")
    if options.json:
        print(json.dumps(results))


def measure(options: argparse.Namespace) -> dict[str, float | int | str]:
    """Time rounds with and without the limit, in one swarm."""
    session = [
        *("--model", options.model, "--dataset", options.dataset, "--rounds", "100000"),
        *("--examples-per-peer-max", str(options.examples), "--learning-rate", "0.01"),
        *("--test-examples-per-peer-max", "100"),
    ]
    data = ["--data-dir", options.data_dir] if options.data_dir else []
    with Wires(len(SIX)) as wires, WiredSwarm(wires, session, data) as swarm:
        head = swarm.wait_common_head(SIX, SIX, after_round=2, timeout_s=READY_WITHIN_S)
        others = SIX[:-1]
        before_s = mean_round_s(swarm, others, head.round, options.rounds)
        wires.bytes_per_s = {SIX[-1]: options.mbit * 1e6 / 8}
        newest = swarm.newest(others[0])
        assert newest is not None
        first = newest.fields["round"] + TIMED_WITHIN_ROUNDS
        swarm.wait_adopted(others, first, READY_WITHIN_S)
        during_s = mean_round_s(swarm, others, first, options.rounds)
        wires.heal()
    return {
        "model": options.model,
        "dataset": options.dataset,
        "mbit_per_s": options.mbit,
        "round_s": round(before_s, 2),
        "round_with_slow_link_s": round(during_s, 2),
        "slowdown": round(during_s / before_s, 3),
    }


def mean_round_s(swarm: FaultySwarm, indices: Sequence[int], first: int, num_rounds: int) -> float:
    """Mean seconds of so many rounds after the first, at these peers."""
    begin = swarm.wait_adopted(indices, first, READY_WITHIN_S)
    end = swarm.wait_adopted(indices, first + num_rounds, num_rounds * 20.0)
    return (max(end.values()) - max(begin.values())) / num_rounds


if __name__ == "__main__":
    main()
