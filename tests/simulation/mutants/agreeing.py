"""Mutants of agreement: the head order, how heads spread, and how branches merge."""

from tests.simulation.mutants.mutant import Mutant

AGREEING = (
    # G3: the head a peer holds only moves up the head order
    Mutant(
        "order-forgotten",
        "G3",
        "federation/lineage.py",
        "if self.held is None or head.key > self.held.key:\n            insort",
        "if True:\n            insort",
        ("replayed-messages", "aggregator-dies", "partition-heals"),
    ),
    Mutant(
        "adopted-without-weights",
        "G3",
        "federation/adoption.py",
        "            if blobs.has(head.blob):\n",
        "            if True:\n",
        ("calm",),
    ),
    # G4: after the last fault, all connected peers hold one head
    Mutant(
        "greater-head-not-asked-for",
        "G4",
        "federation/head_exchange.py",
        "        if not self._is_greater(key):\n            return []\n        missing = ",
        "        return []\n        missing = ",
        ("lossy", "partition-heals", "partition-majority"),
    ),
    Mutant(
        "no-session-heartbeat",
        "G4",
        "federation/heartbeats.py",
        "        if head is None or head is not before or not self._session_heartbeat_due:\n",
        "        if True:\n",
        ("lossy",),
        rarity=5,
    ),
    Mutant(
        "no-peer-asks-to-rejoin",
        "G4",
        "federation/join_requests.py",
        "        return [Send(peer, request) for peer in (*first, *second) if peer != self._me]",
        "        return []",
        ("calm", "late-joiners"),
    ),
    Mutant(
        "merge-ancestors-not-fetched",
        "G4",
        "federation/lineage.py",
        "            if branch is None:\n                return merged.head\n",
        "            if branch is None:\n                return head.digest\n",
        ("partition-heals", "partition-unequal", "three-sided"),
    ),
    # G6: a branch is merged, or the reason why not is stated
    Mutant(
        "branches-not-announced",
        "G6",
        "federation/branches.py",
        "            self._leave(before.digest)\n",
        "            pass\n",
        ("partition-heals", "partition-unequal"),
    ),
    Mutant(
        "lone-heads-parent-not-announced",
        "G6",
        "federation/branches.py",
        "if before.author == self._me and before.parent is not None:",
        "if False:",
        ("composers-freeze",),
        rarity=5,
    ),
    Mutant(
        "both-parts-go-on",
        "G6",
        "federation/validity.py",
        "return double > len(cohort) or (double == len(cohort) and min(cohort) in peers)",
        "return True",
        ("partition-majority",),
    ),
)
