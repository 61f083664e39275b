"""Roles: which peer is the root, an aggregator or a trainer in the round on a head."""

import re

from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.federation.records import GlobalModel
from swarm.federation.tree import succession
from swarm.federation.validity import tree_of


def find_role(role: str, head: GlobalModel, spec: SessionSpec) -> PeerId | None:
    """The peer in a role, or None if there is none; any other word is taken as a peer's name.

    Roles are `root`, `aggregator`, `tier-2 aggregator`, `trainer` and `starter`.
    """
    tree = tree_of(head, spec)
    slow = frozenset(head.slow)
    firsts = [[succession(head.digest, c, slow)[0] for c in tier] for tier in tree.tiers]
    root = firsts[-1][0]
    if role == "root":
        return root
    if match := re.fullmatch(r"(?:tier-(\d+) )?aggregator", role):
        tier = firsts[min(int(match[1] or 1), len(firsts)) - 1]
        return next((peer for peer in tier if peer != root), tier[0])
    if role == "trainer":
        return next((peer for peer in head.cohort if peer not in firsts[0]), None)
    return spec.starter if role == "starter" else PeerId(role)
