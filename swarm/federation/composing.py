"""Composing: makes the records of aggregates and heads."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from swarm.core.blobs import BlobRef
from swarm.core.ids import PeerId, RoundNumber, Term
from swarm.core.session import SessionSpec
from swarm.federation.best_head import best_of
from swarm.federation.duty import Duty
from swarm.federation.join_estimate import estimate, sample
from swarm.federation.messages import Contribution
from swarm.federation.records import (
    BRANCHES_MAX,
    Aggregate,
    Branch,
    Contributor,
    GlobalModel,
    Metrics,
)
from swarm.federation.validity import is_majority, slow_among

ADMISSION_MIN = 2.0**-20
"""Even in the largest swarm some peers may ask to join."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the inputs of a cluster carry besides weights."""

    contributors: tuple[Contributor, ...]
    metrics: tuple[Metrics, ...]
    joiners: tuple[PeerId, ...]
    """Peers that are not in the cohort yet, in order of their ids; at most as many as fit."""
    branches: tuple[Branch, ...]


def gather(
    inputs: Iterable[Contribution | Aggregate],
    heard: Iterable[PeerId],
    branches: Iterable[Branch],
    base: GlobalModel,
) -> Gathered:
    """Collect what the combined inputs name, and all joiners and branches known."""
    contributors: list[Contributor] = []
    metrics: list[Metrics] = []
    joiners = set(heard)
    known = {branch.head: branch for branch in branches}
    for source in inputs:
        contributors += source.contributors
        joiners |= set(source.joiners)
        known = {**{branch.head: branch for branch in source.branches}, **known}
        if isinstance(source, Contribution):
            # A stale contribution measured an older head.
            measured = source.metrics if source.base == base.digest else None
            metrics += [measured] if measured else []
        else:
            metrics += source.metrics
    return Gathered(
        tuple(sorted(contributors, key=lambda c: c.key)),
        tuple(sorted(metrics, key=lambda m: m.peer)),
        sample(joiners.difference(base.cohort)),
        tuple(known.values())[:BRANCHES_MAX],
    )


def compose_aggregate(
    duty: Duty, base: GlobalModel, blob: BlobRef, gathered: Gathered, me: PeerId
) -> Aggregate:
    """Make the unsigned record of a cluster's combined weights."""
    return Aggregate(
        session=base.session,
        base=base.digest,
        tier=duty.cluster.tier,
        cluster=duty.cluster.id,
        term=duty.term,
        blob=blob,
        contributors=gathered.contributors,
        metrics=gathered.metrics,
        joiners=gathered.joiners,
        branches=gathered.branches,
        author=me,
    )


def compose_head(
    base: GlobalModel, duty: Duty, blob: BlobRef, gathered: Gathered, me: PeerId, spec: SessionSpec
) -> GlobalModel:
    """Make the unsigned next head; its cohort are the contributors and the joiners."""
    num_outside = estimate(gathered.joiners) / base.admission
    head = GlobalModel(
        session=base.session,
        parent=base.digest,
        round=RoundNumber(base.round + 1),
        term=duty.term,
        examples_before=base.total,
        blob=blob,
        cohort=next_cohort(base, gathered, spec),
        contributors=gathered.contributors,
        merged=(duty.merge.merged,) if duty.merge is not None else (),
        slow=(),
        metrics=gathered.metrics,
        author=me,
        admission=_admission(num_outside, spec),
        best=best_of(base, gathered.metrics),
    )
    return replace(head, slow=slow_among(head, base))


def next_cohort(base: GlobalModel, gathered: Gathered, spec: SessionSpec) -> tuple[PeerId, ...]:
    """The cohort of a child of `base`, in order of the peers' ids.

    Peers that did not contribute are dropped, but only when a majority contributed. Otherwise a
    peer that is cut off could shrink the cohort to itself, and then die.
    """
    contributed = {c.peer for c in gathered.contributors}
    named = contributed | set(gathered.joiners)
    if not is_majority(contributed, base.cohort):
        named |= set(base.cohort)
    return sample_cohort(named, base, spec.cohort_max)


def _admission(num_outside: float, spec: SessionSpec) -> float:
    """Share of the peers outside the cohort that may ask to join: about as many as fit."""
    return min(1.0, max(ADMISSION_MIN, spec.cohort_max / max(1.0, num_outside)))


def first_head(
    spec: SessionSpec, blob: BlobRef, joiners: Iterable[PeerId], num_outside: float, me: PeerId
) -> GlobalModel:
    """Make the unsigned head 0: initial weights, and the cohort of round 1.

    Args:
        spec: The session.
        blob: Initial weights.
        joiners: Peers that asked to join.
        num_outside: About how many peers asked, including those not named in `joiners`.
        me: The starter.
    """
    others = sorted(set(joiners) - {me})[: spec.cohort_max - 1]
    return GlobalModel(
        session=spec.id,
        parent=None,
        round=RoundNumber(0),
        term=Term(0),
        examples_before=0,
        blob=blob,
        cohort=tuple(sorted([me, *others])),
        contributors=(),
        merged=(),
        slow=(),
        metrics=(),
        author=me,
        admission=_admission(num_outside, spec),
    )


def sample_cohort(peers: Iterable[PeerId], base: GlobalModel, size_max: int) -> tuple[PeerId, ...]:
    """At most `size_max` of the peers, a different sample for each base head."""
    ranked = sorted(
        peers, key=lambda peer: hashlib.sha256(f"{base.digest}\0{peer}".encode()).digest()
    )
    return tuple(sorted(ranked[:size_max]))
