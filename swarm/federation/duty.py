"""Duty: one cluster that this peer aggregates, or stands by for, in one round."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from swarm.core.blobs import BlobRef
from swarm.core.ids import ClusterId, Digest, PeerId, Term
from swarm.core.machine import Effect
from swarm.core.session import SessionSpec
from swarm.federation.blob_desk import BlobDesk
from swarm.federation.effects import Combine, CombineInput, Note
from swarm.federation.messages import Aggregate, Contribution, GlobalModel
from swarm.federation.tree import Cluster, duty_peers

TAKEOVER_STEP_S = 5.0
"""Each standby waits so much longer past the deadline than the one before it."""


@dataclass(slots=True)
class RoundFacts:
    """What one peer knows of the round on one base head."""

    base: GlobalModel
    contributions: dict[PeerId, Contribution] = field(default_factory=dict)
    """First announced per peer of the home cluster."""
    aggregates: dict[ClusterId, dict[Term, Aggregate]] = field(default_factory=dict)
    given_up: set[PeerId] = field(default_factory=set)
    """Peers found lost during this round; only their contribution brings them back into it."""
    successors: list[GlobalModel] = field(default_factory=list)
    """Heads announced on top of the base."""


@dataclass(slots=True)
class _Member:
    blob: BlobRef | None
    num_examples: int
    holder: PeerId | None
    lost: bool


class Duty:
    """Decides when to act for a cluster, whose weights to pull, and when to combine them.

    Invariants:
        Combines at most once at a time, and not again once an output exists.
        Standby k acts only while every peer before it is lost or silent past the deadline.
    """

    def __init__(
        self,
        cluster: Cluster,
        ranking: tuple[PeerId, ...],
        me: PeerId,
        deadline_s: float,
        *,
        is_root: bool,
    ) -> None:
        self.cluster = cluster
        self.term = Term(ranking.index(me))
        self.is_root = is_root
        self.inputs: tuple[CombineInput, ...] = ()
        self.output: BlobRef | None = None
        self._predecessors = ranking[: self.term]
        self._deadline_s = deadline_s
        self._combining = False
        self._rejected: set[Digest] = set()
        self._announced_takeover = False

    def advance(
        self, facts: RoundFacts, blobs: BlobDesk, spec: SessionSpec, now_s: float
    ) -> list[Effect]:
        """Do what is due: pull members' weights, combine them when the round closes."""
        if self.output is not None or self._combining or not self._acts(facts, blobs, now_s):
            return []
        effects = self._note_takeover()
        members = self._members(facts, blobs, now_s)
        for member in members.values():
            if member.blob is not None and member.holder is not None:
                effects += blobs.want(member.blob, (member.holder,), 0.0, now_s)
        inputs = [
            CombineInput(name, member.blob, member.num_examples)
            for name, member in members.items()
            if member.blob is not None and blobs.has(member.blob)
        ]
        if self._closes(inputs, members, spec, now_s):
            self._combining = True
            self.inputs = tuple(sorted(inputs, key=lambda item: item.name))
            base = facts.base
            effects.append(Combine(base.digest, base.blob, self.cluster.id, self.inputs))
        return effects

    def combined(self, blob: BlobRef, rejected: frozenset[str]) -> None:
        """Take the combined weights; `rejected` names the inputs that failed a gate."""
        self._combining = False
        self.output = blob
        self.inputs = tuple(item for item in self.inputs if item.name not in rejected)

    def failed(self, rejected: frozenset[str]) -> None:
        """Nothing came of it: leave the rejected inputs out and go on waiting."""
        self._combining = False
        self._rejected |= {item.blob.digest for item in self.inputs if item.name in rejected}

    def _acts(self, facts: RoundFacts, blobs: BlobDesk, now_s: float) -> bool:
        patience_s = self._deadline_s + self.term * TAKEOVER_STEP_S
        return all(
            peer in facts.given_up
            or (now_s >= patience_s and self._silent(peer, facts, blobs, now_s))
            for peer in self._predecessors
        )

    def _silent(self, peer: PeerId, facts: RoundFacts, blobs: BlobDesk, now_s: float) -> bool:
        outputs: list[GlobalModel] | list[Aggregate] = (
            facts.successors
            if self.is_root
            else list(facts.aggregates.get(self.cluster.id, {}).values())
        )
        return not any(
            output.author == peer and not blobs.absent(output.blob, now_s) for output in outputs
        )

    def _note_takeover(self) -> list[Effect]:
        if self.term == 0 or self._announced_takeover:
            return []
        self._announced_takeover = True
        tier = self.cluster.tier
        return [Note("takeover", f"takes over tier {tier} as standby {self.term}")]

    def _members(self, facts: RoundFacts, blobs: BlobDesk, now_s: float) -> Mapping[str, _Member]:
        if self.cluster.children:
            return {c.id: self._child(c, facts, blobs, now_s) for c in self.cluster.children}
        return {peer: self._peer(peer, facts) for peer in self.cluster.peers}

    def _peer(self, peer: PeerId, facts: RoundFacts) -> _Member:
        contribution = facts.contributions.get(peer)
        if contribution is None or contribution.blob.digest in self._rejected:
            refused = contribution is not None
            return _Member(None, 0, None, lost=refused or peer in facts.given_up)
        lost = peer in facts.given_up
        return _Member(contribution.blob, contribution.num_examples, peer, lost)

    def _child(self, child: Cluster, facts: RoundFacts, blobs: BlobDesk, now_s: float) -> _Member:
        ranking = duty_peers(facts.base.digest, child, frozenset(facts.base.slow))
        lost = all(peer in facts.given_up for peer in ranking)
        offers = [
            offer
            for _, offer in sorted(facts.aggregates.get(child.id, {}).items())
            if offer.blob.digest not in self._rejected
        ]
        here = [offer for offer in offers if blobs.has(offer.blob)]
        coming = [offer for offer in offers if not blobs.absent(offer.blob, now_s)]
        for offer in (*here, *coming):
            return _Member(offer.blob, offer.num_examples, offer.author, lost)
        return _Member(None, 0, None, lost)

    def _closes(
        self,
        inputs: list[CombineInput],
        members: Mapping[str, _Member],
        spec: SessionSpec,
        now_s: float,
    ) -> bool:
        if not inputs:
            return False
        settled = {item.name for item in inputs}
        waiting = [name for name, m in members.items() if name not in settled and not m.lost]
        quorum = math.ceil(spec.quorum * self.cluster.num_members)
        return not waiting or (now_s >= self._deadline_s and len(inputs) >= quorum)
