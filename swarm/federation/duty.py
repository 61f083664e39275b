"""Duty: one cluster that this peer aggregates, or stands by for, in one round."""

import math
from bisect import insort
from collections.abc import Collection, Mapping
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
RETRY_COMBINING_AFTER_S = 1.0
"""A combination that failed through no fault of its inputs is tried again so much later."""
OFFERS_MAX = 2
"""Newest aggregates kept per author and cluster: a restarted author may have lost its first."""


@dataclass(slots=True)
class RoundFacts:
    """What one peer knows of the round on one base head."""

    base: GlobalModel
    contributions: dict[PeerId, Contribution] = field(default_factory=dict)
    """First announced per peer of the home cluster."""
    aggregates: dict[ClusterId, list[Aggregate]] = field(default_factory=dict)
    """Announced per cluster, in order of their terms."""
    given_up: set[PeerId] = field(default_factory=set)
    """Peers found lost during this round; only their contribution brings them back into it."""
    successors: list[GlobalModel] = field(default_factory=list)
    """Heads announced on top of the base."""

    def hear_aggregate(self, aggregate: Aggregate) -> bool:
        """Keep a valid aggregate, of its author's earlier ones only the newest; is it news?"""
        offers = self.aggregates.setdefault(aggregate.cluster, [])
        if aggregate in offers:
            return False
        earlier = [offer for offer in offers if offer.author == aggregate.author]
        for offer in earlier[: 1 - OFFERS_MAX]:
            offers.remove(offer)
        insort(offers, aggregate, key=lambda offer: offer.term)
        return True


@dataclass(slots=True)
class _Member:
    source: Contribution | Aggregate | None
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
        self.inputs: dict[str, Contribution | Aggregate] = {}
        """What is being combined, or was: by peer at tier 1, by cluster above it."""
        self.output: BlobRef | None = None
        self._predecessors = ranking[: self.term]
        self._deadline_s = deadline_s
        self._combining = False
        self._retry_s = float("-inf")
        self._rejected: set[Digest] = set()
        self._announced_takeover = False

    def advance(
        self, facts: RoundFacts, blobs: BlobDesk, spec: SessionSpec, now_s: float
    ) -> list[Effect]:
        """Do what is due: pull members' weights, combine them when the round closes."""
        busy = self._combining or now_s < self._retry_s
        if self.output is not None or busy or not self._acts(facts, blobs, now_s):
            return []
        effects = self._note_takeover()
        members = self._members(facts, blobs, now_s)
        for member in members.values():
            if member.source is not None and member.holder is not None:
                effects += blobs.want(member.source.blob, (member.holder,), 0.0, now_s)
        inputs = {
            name: member.source
            for name, member in sorted(members.items())
            if member.source is not None and blobs.has(member.source.blob)
        }
        if self._closes(inputs.keys(), members, spec, now_s):
            self._combining = True
            self.inputs = inputs
            effects.append(self._combine(facts.base))
        return effects

    def combined(self, blob: BlobRef, rejected: frozenset[str]) -> None:
        """Take the combined weights; `rejected` names the inputs that failed a gate."""
        self._combining = False
        self.output = blob
        self.inputs = {k: source for k, source in self.inputs.items() if k not in rejected}

    def failed(self, rejected: frozenset[str], now_s: float) -> None:
        """Nothing came of it: leave the rejected inputs out and go on, a moment later."""
        self._combining = False
        self._retry_s = now_s + RETRY_COMBINING_AFTER_S
        self._rejected |= {s.blob.digest for k, s in self.inputs.items() if k in rejected}

    def _combine(self, base: GlobalModel) -> Combine:
        inputs = tuple(CombineInput(k, s.blob, _weight(s)) for k, s in self.inputs.items())
        return Combine(base.digest, base.blob, self.cluster.id, inputs)

    def _acts(self, facts: RoundFacts, blobs: BlobDesk, now_s: float) -> bool:
        patience_s = self._deadline_s + self.term * TAKEOVER_STEP_S
        return all(
            peer in facts.given_up
            or (now_s >= patience_s and self._silent(peer, facts, blobs, now_s))
            for peer in self._predecessors
        )

    def _silent(self, peer: PeerId, facts: RoundFacts, blobs: BlobDesk, now_s: float) -> bool:
        outputs: list[GlobalModel] | list[Aggregate] = (
            facts.successors if self.is_root else facts.aggregates.get(self.cluster.id, [])
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
        lost = peer in facts.given_up
        if contribution is None:
            return _Member(None, None, lost)
        if contribution.blob.digest in self._rejected:
            return _Member(None, None, lost=True)
        return _Member(contribution, peer, lost)

    def _child(self, child: Cluster, facts: RoundFacts, blobs: BlobDesk, now_s: float) -> _Member:
        ranking = duty_peers(facts.base.digest, child, frozenset(facts.base.slow))
        lost = all(peer in facts.given_up for peer in ranking)
        offers = [
            offer
            for offer in facts.aggregates.get(child.id, [])
            if offer.blob.digest not in self._rejected
        ]
        here = [offer for offer in offers if blobs.has(offer.blob)]
        coming = [offer for offer in offers if not blobs.absent(offer.blob, now_s)]
        for offer in (*here, *coming):
            return _Member(offer, offer.author, lost)
        return _Member(None, None, lost)

    def _closes(
        self,
        settled: Collection[str],
        members: Mapping[str, _Member],
        spec: SessionSpec,
        now_s: float,
    ) -> bool:
        if not settled:
            return False
        waiting = [name for name, m in members.items() if name not in settled and not m.lost]
        quorum = math.ceil(spec.quorum * self.cluster.num_members)
        return not waiting or (now_s >= self._deadline_s and len(settled) >= quorum)


def _weight(source: Contribution | Aggregate) -> float:
    contributors = (
        [source.contributor] if isinstance(source, Contribution) else source.contributors
    )
    return float(sum(c.num_examples for c in contributors))
