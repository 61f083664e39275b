"""Validity: the rules for heads, aggregates and contributions.

Every peer that adopts a head, and every peer that combines inputs, checks these rules. They use
only records and the session's spec, so all peers that know the same records judge alike. A rule
that is broken raises `InvalidRecordError`, whose message is the rule.

A head is checked against its past: its parent, the window of stale contributions, and the branch
that it merges. Its author must stand at place `term` of the root's succession. No contribution may
count twice. The list `slow` and the count `examples_before` must be exactly what follows from the
past: the next round's successions and the head order depend on them.

An aggregate is checked against the round's base: its author must stand in the cluster's
succession, and it may name only peers below the cluster. Signatures were checked where the bytes
came in. The weights themselves are checked by the gates of the peer that combines them, not here.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache

from swarm.core.blobs import BlobRef
from swarm.core.ids import PeerId, RoundNumber
from swarm.core.session import SessionSpec
from swarm.federation.ancestry import STALENESS_MAX, Known, Window, relate, window_of
from swarm.federation.best_head import best_of, stopped_early
from swarm.federation.durations import slow_peers
from swarm.federation.messages import Contribution
from swarm.federation.records import Aggregate, Contributor, GlobalModel
from swarm.federation.tree import Cluster, Tree, build_tree, root_succession, succession

BLOB_GROWTH_MAX = 2
"""Weights of one model have one size; blobs larger than this multiple are not downloaded."""


class InvalidRecordError(ValueError):
    """A record breaks a rule; the message names it."""


def tree_of(head: GlobalModel, spec: SessionSpec) -> Tree:
    """The aggregation tree of the round that starts from `head`."""
    return build_tree(head.session, head.cohort, spec.cluster_size, head.sites)


def check_first_head(head: GlobalModel, spec: SessionSpec) -> None:
    """Check a head without a parent.

    Raises:
        InvalidRecordError: It breaks a rule.
    """
    check_common(head, spec)
    _check_slow(head, None)
    _require(head.author == spec.starter, "head 0 must be the starter's")
    _require(head.term == 0, "head 0 has no succession: its term must be 0")
    past = head.examples_before, head.contributors, head.merged, head.metrics, head.best
    _require(not any(past), "head 0 has no past")


def check_head(head: GlobalModel, known: Known, spec: SessionSpec) -> None:
    """Check a head against its past. Its signature was checked where the bytes came in.

    Args:
        head: The record; its parent is known.
        known: Records by digest.
        spec: The session.

    Raises:
        InvalidRecordError: It breaks a rule.
        UnknownAncestorError: A record that the answer depends on is not known.
    """
    check_common(head, spec)
    parent = known.get(head.parent) if head.parent is not None else None
    if parent is None:
        raise InvalidRecordError("parent must be known")
    _check_slow(head, parent)
    _require(head.round == RoundNumber(parent.round + 1), "round must follow the parent's")
    _require(
        head.examples_before == parent.total,
        "examples_before must count the examples behind the parent",
    )
    ranking = root_succession(parent.digest, tree_of(parent, spec), frozenset(parent.slow))
    _check_place(ranking, head.term, head.author)
    _check_size(head.blob, parent)
    _require(len(head.contributors) > 0, "contributors must not be empty")
    _check_contributors(head.contributors, window_of(known, parent), spec)
    _check_merged(head, parent, known)
    _check_majority(head, parent, spec)
    _check_metrics(head)
    _require(
        head.best == best_of(parent, head.metrics),
        "best must follow from the parent's best and its measurements",
    )
    _require(not stopped_early(parent, spec), "a head that ends the session early has no child")


def check_common(head: GlobalModel, spec: SessionSpec) -> None:
    """Check the rules for every head, whether its parent is known or not.

    Raises:
        InvalidRecordError: It breaks a rule.
    """
    _require(head.session == spec.id, "session must be this one")
    _require(len(head.cohort) <= spec.cohort_max, f"cohort must be at most {spec.cohort_max}")


def check_aggregate(aggregate: Aggregate, window: Window, spec: SessionSpec) -> Cluster:
    """Check an aggregate against the head that it was trained from; return its cluster.

    Raises:
        InvalidRecordError: It breaks a rule.
    """
    base = window.base
    _require(aggregate.base == base.digest, "base must be the head of this round")
    cluster = tree_of(base, spec).find(aggregate.cluster)
    if cluster is None or cluster.tier != aggregate.tier:
        raise InvalidRecordError("cluster must be in this round's tree")
    ranking = succession(base.digest, cluster, frozenset(base.slow))
    _check_place(ranking, aggregate.term, aggregate.author)
    _check_size(aggregate.blob, base)
    below = peers_below(cluster)
    for contributor in aggregate.contributors:
        _require(
            contributor.peer in below, f"contributor {contributor.peer} must be below the cluster"
        )
    _check_contributors(aggregate.contributors, window, spec)
    _check_metrics(aggregate)
    return cluster


def check_contribution(contribution: Contribution, window: Window, spec: SessionSpec) -> None:
    """Check a contribution to the round of a window, fresh or stale.

    Raises:
        InvalidRecordError: It breaks a rule.
    """
    _check_size(contribution.blob, window.base)
    _check_contributors([contribution.contributor], window, spec)


@lru_cache(maxsize=512)
def peers_below(cluster: Cluster) -> frozenset[PeerId]:
    """Every peer of the clusters under `cluster`."""
    if not cluster.children:
        return frozenset(cluster.peers)
    return frozenset().union(*(peers_below(child) for child in cluster.children))


def slow_among(head: GlobalModel, parent: GlobalModel | None) -> tuple[PeerId, ...]:
    """Peers of a head's cohort that take no duty, in order of their ids.

    These are the slow ones, and those that the head does not name, such as newcomers: their speed
    is unknown, and a slow link at an aggregator delays the whole cluster. But if the named peers
    are no majority of the cohort, the aggregator's own link may have kept the others out. Then
    those others are not called slow; otherwise the aggregator would come first in every succession
    from then on.
    """
    timed = head.members & head.durations_s.keys()
    untimed = head.members - timed if is_majority(timed, head.cohort) else frozenset()
    slow = slow_peers(head, parent.author if parent is not None else None)
    return tuple(sorted(head.members & slow | untimed))


def is_majority(peers: Collection[PeerId], cohort: Collection[PeerId]) -> bool:
    """Whether these are more than half of a cohort, or half of it with its least peer id."""
    double = 2 * len(set(peers) & set(cohort))
    return double > len(cohort) or (double == len(cohort) and min(cohort) in peers)


def _check_slow(head: GlobalModel, parent: GlobalModel | None) -> None:
    _require(
        head.slow == slow_among(head, parent),
        "slow must be the peers of the cohort over twice the median duration or with slow links, "
        "and, if a majority is named, those not named",
    )


def _check_place(ranking: tuple[PeerId, ...], term: int, author: PeerId) -> None:
    _require(
        term < len(ranking) and ranking[term] == author,
        f"author's place in the succession must be its term, {term}",
    )


def _check_contributors(
    contributors: Iterable[Contributor], window: Window, spec: SessionSpec
) -> None:
    bases = {head.digest: head for head in window.heads}
    for contributor in contributors:
        base = bases.get(contributor.base)
        if base is None:
            raise InvalidRecordError(
                f"contributors must have trained from the base, or at most {STALENESS_MAX} heads "
                "before it"
            )
        if contributor.peer not in base.members:
            raise InvalidRecordError(
                f"contributor {contributor.peer} must be in the cohort of its base"
            )
        if base is not window.base and contributor.key in window.named:
            raise InvalidRecordError(
                f"the contribution of {contributor.peer} must not count twice"
            )
        if contributor.num_examples > spec.num_examples_max:
            raise InvalidRecordError(
                f"num_examples must be at most {spec.num_examples_max}, "
                f"got {contributor.num_examples}"
            )


def _check_merged(head: GlobalModel, parent: GlobalModel, known: Known) -> None:
    for merged in head.merged:
        branch = known[merged.head]
        _require(branch.key < parent.key, "a merged head must be less than the parent")
        relation = relate(known, parent, branch)
        _require(not relation.conflict, f"merged must not repeat: {relation.conflict}")
        _require(
            relation.only_theirs.isdisjoint(head.keys),
            "a contribution must not count both by itself and with a merged head",
        )
        _require(
            merged.num_examples == relation.examples[1],
            "merged must count the examples of the branch since the fork",
        )


def _check_majority(head: GlobalModel, parent: GlobalModel, spec: SessionSpec) -> None:
    if spec.partition_policy == "majority":
        fresh = {c.peer for c in head.contributors if c.base == parent.digest}
        _require(is_majority(fresh, parent.cohort), "contributors must be a majority")


def _check_size(blob: BlobRef, base: GlobalModel) -> None:
    size_max = BLOB_GROWTH_MAX * base.blob.size_bytes
    _require(
        blob.size_bytes <= size_max,
        f"weights must be at most twice the base's size, {size_max} bytes, got {blob.size_bytes}",
    )


def _check_metrics(record: GlobalModel | Aggregate) -> None:
    measured = [m.peer for m in record.metrics]
    named = {c.peer for c in record.contributors}
    _require(set(measured) <= named, "metrics must be of contributors")
    _require(len(set(measured)) == len(measured), "metrics must have one entry per contributor")


def _require(condition: bool, rule: str) -> None:
    if not condition:
        raise InvalidRecordError(rule)
