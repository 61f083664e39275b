"""Many histories of every scenario; what a failing seed prints replays it."""

import pytest

from swarm.core.session import SessionSpec
from swarm.simulation.checkers import CheckError
from swarm.simulation.faults import FaultPlan
from swarm.simulation.scenarios import SCENARIOS
from swarm.simulation.simulator import Simulator, history_digest

NUM_SEEDS = {"three-tiers": 4, "slow-peer": 6, "slow-links": 4, "calm": 6}
NUM_SEEDS_ELSE = 20


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        pytest.param(name, seed, id=f"{name}-{seed}")
        for name in SCENARIOS
        for seed in range(NUM_SEEDS.get(name, NUM_SEEDS_ELSE))
    ],
)
def test_the_promises_hold_after_every_event(name: str, seed: int) -> None:
    simulator = SCENARIOS[name].prepare(seed)

    try:
        SCENARIOS[name].rehearse(simulator)
    except CheckError as error:
        pytest.fail(f"{error}\nreplay: python -m swarm.simulation --scenario {name} --seed {seed}")


def rehearse(name: str, seed: int) -> Simulator:
    simulator = SCENARIOS[name].prepare(seed)
    SCENARIOS[name].rehearse(simulator)
    return simulator


def test_the_same_seed_gives_the_same_history() -> None:
    digests = [history_digest(rehearse("churn-mix", seed)) for seed in (7, 7, 8)]

    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("num_peers", [1, 2, 4, 7, 13])
def test_without_faults_every_peer_is_in_every_round(num_peers: int) -> None:
    spec = SessionSpec(rounds=3, min_peers=num_peers)
    simulator = Simulator(spec, num_peers, FaultPlan(), seed=1)

    simulator.run(200.0)

    (last,) = {p.machine.held for p in simulator.peers.values()}
    assert last is not None
    assert last.round == spec.rounds
    lineage = simulator.peers[simulator.starter].machine.lineage
    counts = [len(head.contributors) for head in lineage.ancestors(last)]
    assert counts == [num_peers] * spec.rounds + [0]


def test_a_restarted_peer_is_in_a_later_cohort() -> None:
    simulator = rehearse("restart", 3)

    assert max(peer.life for peer in simulator.peers.values()) > 1
    (last,) = {peer.machine.held for peer in simulator.live.values()}
    assert last is not None
    assert len(simulator.live) == len(simulator.peers)
    assert any(simulator.peers[c.peer].life > 1 for c in last.contributors)


def test_who_still_fetches_a_heads_weights_is_not_given_up() -> None:
    """Even when a newcomer changes the clusters, so that all topics are new."""
    simulator = rehearse("slow-links", 0)

    (last,) = {peer.machine.held for peer in simulator.live.values()}
    assert last is not None
    assert len(last.contributors) == len(simulator.peers)


def test_latecomers_contribute_in_the_end() -> None:
    simulator = rehearse("late-joiners", 0)

    (last,) = {peer.machine.held for peer in simulator.live.values()}
    assert last is not None
    latecomers = set(list(simulator.peers)[6:])
    assert {c.peer for c in last.contributors} & latecomers
