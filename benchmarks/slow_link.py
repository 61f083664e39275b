"""`python -m benchmarks.slow_link`: what a peer behind a slow link costs the others.

Six peers in network namespaces train `cnn`. Three kinds of rounds are timed in turns, at five of
the peers. In the first kind all links are good. In the second the sixth peer is limited to
1 Mbit/s each way, once it was timed. In the third the sixth peer is stopped. All peers share one
machine, so a peer that waits for its link leaves the others more of the processor. So compare the
second kind with the third, too. Turns are short, so that other load on the machine meets all three
kinds alike. Needs root.
"""

import argparse
import itertools
import json
import statistics

from tests.harness.faulty_swarm import READY_WITHIN_S, FaultySwarm
from tests.harness.wired_swarm import SIX, WiredSwarm
from tests.harness.wires import Wires

SLOW = SIX[-1]
OTHERS = SIX[:-1]
TIMED_WITHIN_ROUNDS = 3
ROUNDS_A_TURN = 5


def main() -> None:
    """Print the figures, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data-dir", default=None, help="folder with cifar-10-batches-bin/")
    parser.add_argument("--examples", type=int, default=1000, help="training images of each peer")
    parser.add_argument("--model", default="cnn", choices=["cnn", "lenet"])
    parser.add_argument("--rounds", type=int, default=20, help="for each kind, in turns of five")
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
    good: list[float] = []
    slow: list[float] = []
    without: list[float] = []
    with Wires(len(SIX)) as wires, WiredSwarm(wires, session, data) as swarm:
        swarm.wait_common_head(SIX, SIX, after_round=2, timeout_s=READY_WITHIN_S)
        for number in range(-(-options.rounds // ROUNDS_A_TURN)):
            good += rounds_s(swarm)
            wires.bytes_per_s = {SLOW: options.mbit * 1e6 / 8}
            go_on(swarm, TIMED_WITHIN_ROUNDS)
            slow += rounds_s(swarm)
            wires.heal()
            swarm.freeze(SLOW)
            swarm.wait_common_head(OTHERS, OTHERS, after_round=newest_round(swarm))
            without += rounds_s(swarm)
            swarm.thaw(SLOW)
            swarm.wait_named(SLOW, newest_round(swarm))
            said = (
                f"{sum(x[-ROUNDS_A_TURN:]) / ROUNDS_A_TURN:.2f}" for x in (good, slow, without)
            )
            print(f"turn {number + 1}: good, slow, without: {', '.join(said)} s", flush=True)
    means = [statistics.mean(times) for times in (good, slow, without)]
    medians = [statistics.median(times) for times in (good, slow, without)]
    return {
        "model": options.model,
        "dataset": options.dataset,
        "mbit_per_s": options.mbit,
        "rounds_of_each": len(good),
        "round_s": round(means[0], 2),
        "round_with_slow_link_s": round(means[1], 2),
        "round_without_that_peer_s": round(means[2], 2),
        "slowdown": round(means[1] / means[0], 3),
        "slowdown_over_without": round(means[1] / means[2], 3),
        "slowdown_of_median": round(medians[1] / medians[0], 3),
        "slowdown_of_median_over_without": round(medians[1] / medians[2], 3),
    }


def newest_round(swarm: FaultySwarm) -> int:
    """The newest round among the others."""
    newest = [line for index in OTHERS if (line := swarm.newest(index)) is not None]
    return max(int(line.fields["round"]) for line in newest)


def go_on(swarm: FaultySwarm, num_rounds: int) -> int:
    """Wait until `num_rounds` further rounds have closed at the others; return the last one."""
    last = newest_round(swarm) + num_rounds
    swarm.wait_adopted(OTHERS, last, READY_WITHIN_S)
    return last


def rounds_s(swarm: FaultySwarm) -> list[float]:
    """Measure the next rounds in seconds, each until all the others have its head."""
    first = go_on(swarm, 1)
    ends = [
        max(swarm.wait_adopted(OTHERS, first + number, READY_WITHIN_S).values())
        for number in range(ROUNDS_A_TURN + 1)
    ]
    return [after - before for before, after in itertools.pairwise(ends)]


if __name__ == "__main__":
    main()
