"""Composing records: the aggregate of a cluster, and the next head."""

import hashlib
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from swarm.core.blobs import BlobRef
from swarm.core.ids import PeerId, RoundNumber, SessionId, Term, Tier
from swarm.core.session import COHORT_MAX, SessionSpec
from swarm.federation.duty import Duty
from swarm.federation.messages import (
    Aggregate,
    Contribution,
    Contributor,
    GlobalModel,
    Metrics,
)

SLOW_FACTOR = 2.0
"""A peer whose training took longer than so many times the median takes no duty."""
DEADLINE_FACTOR = 4.0
"""The deadline leaves a peer so many times the median duration ..."""
DEADLINE_MARGIN_S = 5.0
"""... and so much on top for messages and blobs."""
TIER_MARGIN_S = 3.0
"""Each tier waits so much longer than the one below it."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the inputs of a cluster carry besides weights."""

    contributors: tuple[Contributor, ...]
    metrics: tuple[Metrics, ...]
    joiners: tuple[PeerId, ...]
    """Peers that are not in the cohort yet, in order of their ids; no more than fit."""


def gather(
    inputs: Iterable[Contribution | Aggregate], heard: Iterable[PeerId], base: GlobalModel
) -> Gathered:
    """Collect contributors and metrics of the combined inputs, and every joiner named or heard."""
    contributors: list[Contributor] = []
    metrics: list[Metrics] = []
    joiners = set(heard)
    for source in inputs:
        joiners |= set(source.joiners)
        if isinstance(source, Contribution):
            contributors.append(source.contributor)
            metrics += [source.metrics] if source.metrics else []
        else:
            contributors += source.contributors
            metrics += source.metrics
    return Gathered(
        tuple(sorted(contributors, key=lambda c: c.peer)),
        tuple(sorted(metrics, key=lambda m: m.peer)),
        sample_cohort(joiners.difference(base.cohort), base, COHORT_MAX),
    )


def compose_aggregate(
    duty: Duty, base: GlobalModel, blob: BlobRef, gathered: Gathered, me: PeerId
) -> Aggregate:
    """The unsigned record of a cluster's combined weights."""
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
        author=me,
    )


def compose_head(
    base: GlobalModel, term: Term, blob: BlobRef, gathered: Gathered, me: PeerId, spec: SessionSpec
) -> GlobalModel:
    """The unsigned next head: its cohort is who contributed, and who wishes to join."""
    wishing = {*(c.peer for c in gathered.contributors), *gathered.joiners}
    cohort = sample_cohort(wishing, base, spec.cohort_max)
    return GlobalModel(
        session=base.session,
        parent=base.digest,
        round=RoundNumber(base.round + 1),
        term=term,
        examples_before=base.examples_before + base.weight,
        blob=blob,
        cohort=cohort,
        contributors=gathered.contributors,
        merged=(),
        slow=tuple(p for p in slow_peers(gathered.contributors) if p in cohort),
        metrics=gathered.metrics,
        author=me,
    )


def first_head(
    session: SessionId, blob: BlobRef, cohort: Iterable[PeerId], me: PeerId, cohort_max: int
) -> GlobalModel:
    """The unsigned head 0: initial weights, and who is asked into round 1."""
    others = sorted(set(cohort) - {me})[: cohort_max - 1]
    return GlobalModel(
        session=session,
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
    )


def sample_cohort(peers: Iterable[PeerId], base: GlobalModel, size_max: int) -> tuple[PeerId, ...]:
    """At most `size_max` of the peers, a different sample for each base head."""
    ranked = sorted(
        peers, key=lambda peer: hashlib.sha256(f"{base.digest}\0{peer}".encode()).digest()
    )
    return tuple(sorted(ranked[:size_max]))


def slow_peers(contributors: Iterable[Contributor]) -> tuple[PeerId, ...]:
    """Peers whose training took over twice the median, in order of their ids."""
    durations_s = {c.peer: c.duration_s for c in contributors}
    if len(durations_s) < 3:
        return ()  # of two durations, neither is an outlier
    limit_s = SLOW_FACTOR * statistics.median(durations_s.values())
    return tuple(sorted(p for p, duration_s in durations_s.items() if duration_s > limit_s))


def deadline_after_s(base: GlobalModel, tier: Tier, spec: SessionSpec) -> float:
    """Seconds from the adoption of `base` to the deadline of a tier, from the durations in it."""
    extra_s = (tier - 1) * TIER_MARGIN_S
    if not base.contributors:
        return spec.deadline_first_s + extra_s
    median_s = statistics.median(c.duration_s for c in base.contributors)
    return max(spec.deadline_min_s, DEADLINE_FACTOR * median_s + DEADLINE_MARGIN_S) + extra_s
