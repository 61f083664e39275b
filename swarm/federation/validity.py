"""What makes a head or an aggregate valid; every adopter and every combiner checks."""

from collections.abc import Iterable

from swarm.core.ids import Digest, PeerId, RoundNumber
from swarm.core.session import SessionSpec
from swarm.federation.messages import Aggregate, Contribution, Contributor, GlobalModel
from swarm.federation.tree import Cluster, Tree, build_tree, succession


class InvalidRecordError(ValueError):
    """A record breaks a rule; the message names it."""


def tree_of(head: GlobalModel, spec: SessionSpec) -> Tree:
    """The aggregation tree of the round that starts from `head`."""
    return build_tree(head.session, head.cohort, spec.cluster_size)


def check_first_head(head: GlobalModel, spec: SessionSpec) -> None:
    """Check a head without a parent.

    Raises:
        InvalidRecordError: It breaks a rule.
    """
    check_common(head, spec)
    _require(head.author == spec.starter, "head 0 must be the starter's")
    _require(head.term == 0, "head 0 has no succession: its term must be 0")
    _require(
        not (head.examples_before or head.contributors or head.merged or head.metrics),
        "head 0 has no past",
    )


def check_head(head: GlobalModel, parent: GlobalModel, spec: SessionSpec) -> None:
    """Check a head against its parent. Its signature was checked where the bytes came in.

    Raises:
        InvalidRecordError: It breaks a rule.
    """
    check_common(head, spec)
    _require(head.parent == parent.digest, "parent must be the head it is checked against")
    _require(head.round == RoundNumber(parent.round + 1), "round must follow the parent's")
    _require(
        head.examples_before == parent.examples_before + parent.weight,
        "examples_before must count the examples behind the parent",
    )
    _require(not head.merged, "merged must be empty: healing is not spoken here yet")
    root = tree_of(parent, spec).root
    _check_place(succession(parent.digest, root, frozenset(parent.slow)), head.term, head.author)
    _check_contributors(head.contributors, parent.cohort, parent.digest, spec)
    _check_metrics(head)
    _require(len(head.contributors) > 0, "contributors must not be empty")


def check_common(head: GlobalModel, spec: SessionSpec) -> None:
    """Check what every head must keep to, whether its parent is known or not.

    Raises:
        InvalidRecordError: It breaks a rule.
    """
    _require(head.session == spec.id, "session must be ours")
    _require(len(head.cohort) <= spec.cohort_max, f"cohort must be at most {spec.cohort_max}")
    _require(set(head.slow) <= set(head.cohort), "slow must be of the cohort")


def check_aggregate(aggregate: Aggregate, base: GlobalModel, spec: SessionSpec) -> Cluster:
    """Check an aggregate against the head it was trained from, and return its cluster.

    Raises:
        InvalidRecordError: It breaks a rule.
    """
    _require(aggregate.base == base.digest, "base must be the head of this round")
    cluster = tree_of(base, spec).find(aggregate.cluster)
    if cluster is None or cluster.tier != aggregate.tier:
        raise InvalidRecordError("cluster must be one of this round's tree")
    ranking = succession(base.digest, cluster, frozenset(base.slow))
    _check_place(ranking, aggregate.term, aggregate.author)
    _check_contributors(aggregate.contributors, peers_below(cluster), base.digest, spec)
    _check_metrics(aggregate)
    return cluster


def check_contribution(contribution: Contribution, home: Cluster, spec: SessionSpec) -> None:
    """Check a contribution to the round of `home`.

    Raises:
        InvalidRecordError: It breaks a rule.
    """
    _check_contributors([contribution.contributor], home.peers, contribution.base, spec)


def peers_below(cluster: Cluster) -> tuple[PeerId, ...]:
    """Every peer of the clusters under `cluster`."""
    if not cluster.children:
        return cluster.peers
    return tuple(peer for child in cluster.children for peer in peers_below(child))


def _check_place(ranking: tuple[PeerId, ...], term: int, author: PeerId) -> None:
    _require(
        term < len(ranking) and ranking[term] == author,
        f"author's place in the succession must be its term, {term}",
    )


def _check_contributors(
    contributors: Iterable[Contributor],
    allowed: Iterable[PeerId],
    base: Digest,
    spec: SessionSpec,
) -> None:
    cohort = set(allowed)
    for contributor in contributors:
        _require(contributor.peer in cohort, f"contributor {contributor.peer} must be asked")
        _require(contributor.base == base, "contributors must have trained from the base")
        _require(
            contributor.num_examples <= spec.num_examples_max,
            f"num_examples must be at most {spec.num_examples_max}, "
            f"got {contributor.num_examples}",
        )


def _check_metrics(record: GlobalModel | Aggregate) -> None:
    measured = [m.peer for m in record.metrics]
    named = {c.peer for c in record.contributors}
    _require(set(measured) <= named, "metrics must be the contributors'")
    _require(len(set(measured)) == len(measured), "metrics must be one of each contributor")


def _require(condition: bool, rule: str) -> None:
    if not condition:
        raise InvalidRecordError(rule)
