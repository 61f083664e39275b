"""Tree: clusters and successions, which every peer that holds a head derives from it alike.

The cohort is sorted by site, then by a hash, and cut into clusters of about equal size: tier 1.
The clusters are cut into clusters again, tier by tier, until one is left: the root. Weights go up
the tree as aggregates and down it as the next head, so a peer handles few of them per tier,
whatever the size of the swarm.

A succession is a list of peers that may aggregate a cluster: the aggregator, then its standbys. At
tier 1 it is a hash order of the members that changes with each head, so the duty rotates; slow
peers come last. Above, it is made of the first peers of the member clusters' successions. A peer's
place in a succession is its term.

Nothing here is announced or agreed on. A peer that knows a head can check for any record whether
its author was entitled to make it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise, zip_longest
from typing import TypeVar

from swarm.core.ids import ClusterId, Digest, PeerId, SessionId, Tier

_Item = TypeVar("_Item")
NUM_STANDBYS = 2
"""Number of a cluster's standbys that may also act one tier up; more would widen the upper
tiers."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Members under one aggregator: peers at tier 1, clusters of the tier below above it."""

    id: ClusterId
    tier: Tier
    index: int
    """Place among the clusters of its tier."""
    peers: tuple[PeerId, ...]
    """Members at tier 1; empty above it."""
    children: tuple["Cluster", ...]
    """Members above tier 1; empty at tier 1."""

    def __hash__(self) -> int:  # successions are looked up often, and the id is enough
        return hash(self.id)

    @property
    def title(self) -> str:
        """What people call it: its number from 1, and its tier above the first."""
        number = f"cluster {self.index + 1}"
        return number if self.tier == 1 else f"{number} of tier {self.tier}"

    @property
    def num_members(self) -> int:
        """Number of peers or clusters that it combines."""
        return len(self.peers) or len(self.children)


class Tree:
    """The clusters of one cohort, tier by tier, up to the root."""

    def __init__(self, tiers: Sequence[Sequence[Cluster]]) -> None:
        self.tiers = tuple(tuple(tier) for tier in tiers)
        self._parents = {
            child.id: cluster
            for tier in self.tiers
            for cluster in tier
            for child in cluster.children
        }
        self._homes = {peer: cluster for cluster in self.tiers[0] for peer in cluster.peers}
        self._clusters = {cluster.id: cluster for tier in self.tiers for cluster in tier}
        self.peers = frozenset(self._homes)

    @property
    def root(self) -> Cluster:
        """The one cluster of the highest tier."""
        return self.tiers[-1][0]

    def home(self, peer: PeerId) -> Cluster | None:
        """The tier-1 cluster of `peer`, or None if it is not in the cohort."""
        return self._homes.get(peer)

    def parent(self, cluster: Cluster) -> Cluster | None:
        """The cluster one tier up, or None for the root."""
        return self._parents.get(cluster.id)

    def path(self, peer: PeerId) -> tuple[Cluster, ...]:
        """Clusters from the peer's home up to the root; empty if it is not in the cohort."""
        steps = []
        cluster = self.home(peer)
        while cluster is not None:
            steps.append(cluster)
            cluster = self.parent(cluster)
        return tuple(steps)

    def find(self, cluster_id: ClusterId) -> Cluster | None:
        """The cluster of this id, or None."""
        return self._clusters.get(cluster_id)


@lru_cache(maxsize=64)
def build_tree(
    session: SessionId,
    cohort: tuple[PeerId, ...],
    cluster_size: int,
    sites: frozenset[tuple[PeerId, str]] = frozenset(),
) -> Tree:
    """Cut the cohort, sorted by site and a hash, into balanced clusters.

    Where peers name no sites, no peer can choose its cluster cheaply. Where they do, the peers of
    one site are in as few clusters as the sizes allow, so that fewer weights leave the site. The
    order depends only on the session, the peers and their sites. So a cluster whose members stay
    keeps its id, and with it its topic.
    """
    site_of = dict(sites)
    peers = sorted(cohort, key=lambda peer: (site_of.get(peer, ""), _rank(session, peer)))
    tier = Tier(1)
    clusters = [
        Cluster(_cluster_id(tier, part), tier, index, tuple(part), ())
        for index, part in enumerate(_balanced(peers, cluster_size))
    ]
    tiers = [clusters]
    while len(clusters) > 1:
        tier = Tier(tier + 1)
        clusters = [
            Cluster(_cluster_id(tier, [c.id for c in part]), tier, index, (), tuple(part))
            for index, part in enumerate(_balanced(clusters, cluster_size))
        ]
        tiers.append(clusters)
    return Tree(tiers)


@lru_cache(maxsize=512)
def succession(head: Digest, cluster: Cluster, slow: frozenset[PeerId]) -> tuple[PeerId, ...]:
    """The peers that may aggregate `cluster` in the round on `head`, the aggregator first.

    Tier 1: its peers by rendezvous hashing of (head, cluster, peer), so that the duty rotates.
    Slow peers come last, so they take no duty unless all others are lost. Above: the aggregators
    of the member clusters in the order of the members' hashes, then their first standbys, and so
    on, so that the root already holds one of the aggregates it needs.

    Source:
        Thaler and Ravishankar 1998, "Using name-based mappings to increase hit rates".
    """
    if not cluster.children:
        return tuple(
            sorted(cluster.peers, key=lambda peer: (peer in slow, _rank(head, cluster.id, peer)))
        )
    members = sorted(cluster.children, key=lambda child: _rank(head, cluster.id, child.id))
    duties = [succession(head, child, slow)[: 1 + NUM_STANDBYS] for child in members]
    return tuple(peer for peer in chain.from_iterable(zip_longest(*duties)) if peer is not None)


@lru_cache(maxsize=64)
def root_succession(head: Digest, tree: Tree, slow: frozenset[PeerId]) -> tuple[PeerId, ...]:
    """The peers that may compose the next head: the root's succession, then the rest.

    The rest of the cohort, by rendezvous hashing, is the last resort. Without it the session would
    stand still if all duty peers of a large tree were lost at once.
    """
    first = succession(head, tree.root, slow)
    rest = tree.peers - set(first)
    return first + tuple(sorted(rest, key=lambda peer: _rank(head, tree.root.id, peer)))


def duty_peers(head: Digest, cluster: Cluster, slow: frozenset[PeerId]) -> tuple[PeerId, ...]:
    """The first peers of the cluster's succession, which also listen one tier up."""
    return succession(head, cluster, slow)[: 1 + NUM_STANDBYS]


def _balanced(items: Sequence[_Item], size_max: int) -> list[Sequence[_Item]]:
    """Cut into as few parts as `size_max` allows, sizes differing by at most one."""
    num_parts = -(-len(items) // size_max)
    bounds = [len(items) * k // num_parts for k in range(num_parts + 1)]
    return [items[a:b] for a, b in pairwise(bounds)]


def _cluster_id(tier: Tier, members: Iterable[str]) -> ClusterId:
    return ClusterId(_rank(str(tier), *sorted(members)).hex()[:16])


def _rank(*words: str) -> bytes:
    return hashlib.sha256("\0".join(words).encode()).digest()
