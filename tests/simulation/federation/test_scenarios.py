"""Many histories of every session; a failing seed prints the command that replays it."""

import pytest

from swarm.core.session import SessionSpec
from swarm.simulation.federation.faults import SessionFaults
from swarm.simulation.federation.scenarios import SESSION_SCENARIOS
from swarm.simulation.federation.simulator import SessionSimulator
from tests.harness.history_digest import HistoryDigest


def rehearsed(name: str, seed: int) -> SessionSimulator:
    simulator = SESSION_SCENARIOS[name].prepare(seed)
    SESSION_SCENARIOS[name].rehearse(simulator)
    return simulator


@pytest.mark.parametrize("name", ["churn", "everything"])
def test_the_same_seed_gives_the_same_history(name: str) -> None:
    words = []
    for seed in (7, 7, 8):
        simulator = SESSION_SCENARIOS[name].prepare(seed, length=4)
        simulator.record = digest = HistoryDigest()
        SESSION_SCENARIOS[name].rehearse(simulator)
        words.append(digest.word)

    assert words[0] == words[1] != words[2]


@pytest.mark.parametrize("num_peers", [1, 2, 4, 7, 13])
def test_without_faults_every_peer_is_in_every_round(num_peers: int) -> None:
    spec = SessionSpec(rounds=3, min_peers=num_peers)
    simulator = SessionSimulator(spec, num_peers, SessionFaults(), seed=1)

    simulator.run(200.0)

    (last,) = {p.machine.held for p in simulator.peers.values()}
    assert last is not None
    assert last.round == spec.rounds
    lineage = simulator.peers[simulator.starter].machine.lineage
    counts = [len(head.contributors) for head in lineage.ancestors(last)]
    assert counts == [num_peers] * spec.rounds + [0]


def test_a_restarted_peer_is_in_a_later_cohort() -> None:
    contributed_again = 0
    for seed in range(4):  # one seed may restart peers only when the last round is on its way
        simulator = rehearsed("restart", seed)
        assert max(peer.life for peer in simulator.peers.values()) > 1
        (last,) = {peer.machine.held for peer in simulator.live.values()}
        assert last is not None
        assert len(simulator.live) == len(simulator.peers)
        contributed_again += any(simulator.peers[c.peer].life > 1 for c in last.contributors)
    assert contributed_again


def test_a_peer_that_still_fetches_a_heads_weights_is_not_given_up() -> None:
    """This holds even when a newcomer changes the clusters, so that all topics are new."""
    simulator = rehearsed("slow-links", 0)

    (last,) = {peer.machine.held for peer in simulator.live.values()}
    assert last is not None
    assert len(last.contributors) == len(simulator.peers)


def test_latecomers_contribute_in_the_end() -> None:
    simulator = rehearsed("late-joiners", 0)

    (last,) = {peer.machine.held for peer in simulator.live.values()}
    assert last is not None
    latecomers = set(list(simulator.peers)[6:])
    assert {c.peer for c in last.contributors} & latecomers
