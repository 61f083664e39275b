import random
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.canonical import sha256_hex
from swarm.core.ids import PeerId, SessionId
from swarm.federation.records import SITE_MAX, check_site
from swarm.federation.tree import NUM_STANDBYS, build_tree, duty_peers, succession

SESSION = SessionId("session")
HEAD = sha256_hex(b"head")
cohorts = st.sets(st.integers(0, 10**6), min_size=1, max_size=120).map(
    lambda numbers: tuple(PeerId(f"peer-{n}") for n in numbers)
)


@given(cohorts, st.integers(2, 8))
def test_every_peer_has_one_home_in_clusters_of_balanced_size(
    cohort: tuple[PeerId, ...], cluster_size: int
) -> None:
    tree = build_tree(SESSION, cohort, cluster_size)

    assert sorted(chain.from_iterable(c.peers for c in tree.tiers[0])) == sorted(cohort)
    for tier in tree.tiers:
        sizes = [cluster.num_members for cluster in tier]
        assert max(sizes) <= cluster_size
        assert max(sizes) - min(sizes) <= 1


@given(cohorts, st.randoms(use_true_random=False))
def test_the_tree_does_not_depend_on_the_order_of_the_cohort(
    cohort: tuple[PeerId, ...], chance: random.Random
) -> None:
    shuffled = list(cohort)
    chance.shuffle(shuffled)

    ids = [[c.id for c in tier] for tier in build_tree(SESSION, cohort, 3).tiers]
    assert ids == [[c.id for c in tier] for tier in build_tree(SESSION, tuple(shuffled), 3).tiers]


@given(cohorts)
def test_every_path_leads_from_home_to_the_root(cohort: tuple[PeerId, ...]) -> None:
    tree = build_tree(SESSION, cohort, 3)

    for peer in cohort:
        path = tree.path(peer)
        assert path[0] == tree.home(peer)
        assert path[-1] == tree.root
        assert len(path) == len(tree.tiers)


def peers(count: int) -> tuple[PeerId, ...]:
    return tuple(PeerId(f"peer-{k}") for k in range(count))


def test_six_peers_make_two_tiers_and_twenty_make_three() -> None:
    assert [len(tier) for tier in build_tree(SESSION, peers(6), 3).tiers] == [2, 1]
    assert [len(tier) for tier in build_tree(SESSION, peers(20), 3).tiers] == [7, 3, 1]


def test_a_cluster_is_named_by_its_members() -> None:
    tree, again = build_tree(SESSION, peers(6), 3), build_tree(SESSION, peers(6)[::-1], 3)
    grown = build_tree(SESSION, peers(7), 3)

    assert tree.root.id == again.root.id
    names = {frozenset(c.peers): c.id for c in (*tree.tiers[0], *grown.tiers[0])}
    assert len(set(names.values())) == len(names)
    assert all(tree.find(c.id) is c for tier in tree.tiers for c in tier)


def test_a_peer_outside_the_cohort_has_no_place() -> None:
    tree = build_tree(SESSION, peers(6), 3)

    assert tree.home(PeerId("stranger")) is None
    assert tree.path(PeerId("stranger")) == ()


def test_the_duty_rotates_with_the_head() -> None:
    cluster = build_tree(SESSION, peers(3), 3).root

    firsts = {succession(sha256_hex(b"%d" % k), cluster, frozenset())[0] for k in range(30)}

    assert firsts == set(peers(3))


def test_slow_peers_are_the_last_standbys() -> None:
    cluster = build_tree(SESSION, peers(3), 3).root
    first = succession(HEAD, cluster, frozenset())[0]

    ranking = succession(HEAD, cluster, frozenset({first}))

    assert ranking[-1] == first
    assert sorted(ranking) == sorted(peers(3))


def test_upper_successions_begin_with_the_members_aggregators() -> None:
    tree = build_tree(SESSION, peers(20), 3)

    for tier in tree.tiers[1:]:
        for cluster in tier:
            ranking = succession(HEAD, cluster, frozenset())
            firsts = {succession(HEAD, child, frozenset())[0] for child in cluster.children}
            assert set(ranking[: len(firsts)]) == firsts
            assert set(ranking) == set(
                chain.from_iterable(
                    duty_peers(HEAD, child, frozenset()) for child in cluster.children
                )
            )
            assert len(ranking) <= (1 + NUM_STANDBYS) * cluster.num_members


@given(cohorts, st.integers(2, 8), st.integers(1, 4))
def test_peers_of_one_site_are_in_as_few_clusters_as_sizes_allow(
    cohort: tuple[PeerId, ...], cluster_size: int, num_sites: int
) -> None:
    site_of = {peer: f"site-{k % num_sites}" for k, peer in enumerate(cohort)}

    tree = build_tree(SESSION, cohort, cluster_size, frozenset(site_of.items()))

    order = [
        site_of[peer] for cluster in tree.tiers[0] for peer in sort_of(cluster.peers, site_of)
    ]
    assert order == sorted(order)


def sort_of(members: tuple[PeerId, ...], site_of: dict[PeerId, str]) -> list[PeerId]:
    return sorted(members, key=lambda peer: site_of[peer])


def test_two_sites_of_three_are_two_clusters() -> None:
    sites = frozenset((peer, "ab"[k % 2]) for k, peer in enumerate(peers(6)))

    left, right = build_tree(SESSION, peers(6), 3, sites).tiers[0]

    assert set(left.peers) == set(peers(6)[::2])
    assert set(right.peers) == set(peers(6)[1::2])


@pytest.mark.parametrize("site", ["s" * (SITE_MAX + 1), "a\nb", "\u00f6"])
def test_a_label_that_is_long_or_not_plain_is_no_site(site: str) -> None:
    with pytest.raises(ValueError, match="site must be at most 16 printable ASCII"):
        check_site(site)
