"""A peer behind a slow link hardly slows the others."""

import itertools
import statistics

import pytest

from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.simulation.federation.faults import SessionFaults
from swarm.simulation.federation.peers import SessionPeer
from swarm.simulation.federation.simulator import SessionSimulator

KNOWN_SINCE_ROUND = 3
"""Round by which each peer has been timed."""
ROUNDS = 40


def round_s(slow_link_s: float | None, seed: int) -> float:
    """Mean duration of a round at peers with good links, once all have been timed."""
    spec = SessionSpec(rounds=ROUNDS, min_peers=6, deadline_first_s=180)
    simulator = SessionSimulator(spec, 6, SessionFaults(slow_link_s=slow_link_s), seed)
    slowest = simulator.learner.slowest
    adopted_s: dict[PeerId, dict[int, float]] = {}

    def note(peer: SessionPeer) -> None:
        if peer.machine.held is not None and peer.name != slowest:
            times_s = adopted_s.setdefault(peer.name, {})
            times_s.setdefault(peer.machine.held.round, simulator.now_s)

    simulator.check = note
    simulator.run(3600)
    gaps_s = [
        after_s - before_s
        for times_s in adopted_s.values()
        for (number, before_s), (_, after_s) in itertools.pairwise(sorted(times_s.items()))
        if number >= KNOWN_SINCE_ROUND
    ]
    assert len(gaps_s) > 4 * (ROUNDS - KNOWN_SINCE_ROUND - 1)
    return statistics.fmean(gaps_s)


@pytest.mark.parametrize("slow_link_s", [2.5, 5.0, 20.0])
def test_a_slow_link_slows_the_others_rounds_by_less_than_a_fifth(slow_link_s: float) -> None:
    """Weights of `lenet` at 1 Mbit/s take 2.5 s each way instead of 0.05 s."""
    slowdowns = [round_s(slow_link_s, seed) / round_s(None, seed) for seed in range(3)]

    assert statistics.fmean(slowdowns) < 1.2
