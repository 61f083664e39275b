"""Peers that state their site send fewer weights from site to site."""

import pytest

from swarm.core.session import SessionSpec
from swarm.federation.validity import tree_of
from swarm.simulation.federation.faults import SessionFaults
from swarm.simulation.federation.simulator import SessionSimulator

ROUNDS = 20
SITES = ("berlin", "oslo")


def blobs_between_sites(seed: int, labels: tuple[str, ...]) -> tuple[float, SessionSimulator]:
    """Blobs per round that go from one half of six peers to the other."""
    # Ids of peers and session decide who is in which cluster: one id could fit the halves.
    spec = SessionSpec(rounds=ROUNDS, min_peers=6, cluster_size=3, seed=seed)
    simulator = SessionSimulator(spec, 6, SessionFaults(sites=labels), seed)
    half = {name: index % 2 for index, name in enumerate(simulator.peers)}
    simulator.run(600)
    carried = simulator.transfers.carried
    crossing = sum(n for (a, b), n in carried.items() if half[a] != half[b])
    return crossing / ROUNDS, simulator


def test_labels_halve_what_crosses_the_link_between_two_sites() -> None:
    with_labels = [blobs_between_sites(seed, SITES)[0] for seed in range(5)]
    without = [blobs_between_sites(seed, ())[0] for seed in range(5)]

    assert sum(with_labels) < 0.5 * sum(without)


@pytest.mark.parametrize("seed", range(3))
def test_from_the_second_round_on_each_cluster_is_one_site(seed: int) -> None:
    _, simulator = blobs_between_sites(seed, SITES)
    head = next(iter(simulator.peers.values())).machine.held
    assert head is not None

    site_of = dict(head.sites)
    clusters = tree_of(head, simulator.spec).tiers[0]

    assert [len({site_of[peer] for peer in cluster.peers}) for cluster in clusters] == [1, 1]
