from dataclasses import replace
from typing import Any

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.ids import ClusterId, Digest, PeerId, RoundNumber, SessionId, Term
from swarm.federation.ancestry import Window, window_of
from swarm.federation.records import Contributor, GlobalModel, HeadKey, Merged, Metrics
from swarm.federation.validity import (
    InvalidRecordError,
    check_aggregate,
    check_contribution,
    check_first_head,
    check_head,
)

STRANGER = PeerId("stranger")
HUGE = BlobRef(sha256_hex(b"huge"), 2 * 10**6 + 1)


def known(session: Any) -> dict[Digest, GlobalModel]:
    return {session.head0.digest: session.head0}


def window(session: Any) -> Window:
    return window_of(known(session), session.head0)


def metrics(peer: PeerId) -> Metrics:
    return Metrics(peer, 0.5, 1.0, 10)


def other(digest: str) -> Any:
    return digest[::-1]


def test_a_child_of_head_0_is_valid(session: Any) -> None:
    check_first_head(session.head0, session.spec)
    check_head(session.child(session.head0), known(session), session.spec)
    check_head(session.child(session.head0, term=2), known(session), session.spec)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        pytest.param({"author": PeerId("peer-1")}, "head 0 must be", id="not-the-starter"),
        pytest.param({"term": Term(1)}, "term must be 0", id="term"),
        pytest.param({"examples_before": 5}, "no past", id="examples"),
        pytest.param({"metrics": (metrics(PeerId("peer-1")),)}, "no past", id="metrics"),
        pytest.param({"session": SessionId("other")}, "session", id="session"),
        pytest.param({"slow": (STRANGER,)}, "slow", id="slow"),
    ],
)
def test_an_invalid_head_0_is_refused(session: Any, changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidRecordError, match=rule):
        check_first_head(replace(session.head0, **changes), session.spec)


def _contributor(head: GlobalModel, **changes: Any) -> dict[str, Any]:
    first, *rest = head.contributors
    return {"contributors": (replace(first, **changes), *rest)}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        pytest.param(lambda h: {"session": SessionId("x")}, "session", id="session"),
        pytest.param(lambda h: {"parent": other(h.parent)}, "parent", id="parent"),
        pytest.param(lambda h: {"round": RoundNumber(7)}, "round", id="round"),
        pytest.param(lambda h: {"examples_before": 9}, "examples_before", id="examples"),
        pytest.param(lambda h: {"merged": (Merged(h.parent, 1),)}, "merged", id="merged"),
        pytest.param(lambda h: {"term": Term(1)}, "succession", id="term"),
        pytest.param(lambda h: {"term": Term(99)}, "succession", id="term-too-great"),
        pytest.param(lambda h: {"author": STRANGER}, "succession", id="author"),
        pytest.param(lambda h: {"slow": (STRANGER,)}, "slow", id="slow"),
        pytest.param(lambda h: {"contributors": ()}, "empty", id="no-contributors"),
        pytest.param(lambda h: {"blob": HUGE}, "twice the base's size", id="size"),
        pytest.param(
            lambda h: {
                "contributors": (*h.contributors, replace(h.contributors[0], peer=STRANGER))
            },
            "in the cohort of its base",
            id="not-in-the-cohort",
        ),
        pytest.param(lambda h: _contributor(h, base=other(h.parent)), "base", id="base"),
        pytest.param(lambda h: _contributor(h, num_examples=1001), "at most 1000", id="cap"),
        pytest.param(lambda h: {"metrics": (metrics(STRANGER),)}, "metrics", id="metrics"),
        pytest.param(
            lambda h: {"metrics": (metrics(h.author), metrics(h.author))}, "one", id="twice"
        ),
    ],
)
def test_a_head_that_breaks_a_rule_is_refused(session: Any, change: Any, rule: str) -> None:
    head = session.child(session.head0)

    with pytest.raises(InvalidRecordError, match=rule):
        check_head(replace(head, **change(head)), known(session), session.spec)


def test_a_cohort_larger_than_the_sessions_is_refused(session: Any) -> None:
    spec = replace(session.spec, cohort_max=3)

    with pytest.raises(InvalidRecordError, match="cohort must be at most 3"):
        check_first_head(replace(session.head0, session=spec.id), spec)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        pytest.param(lambda a: {"base": other(a.base)}, "base", id="base"),
        pytest.param(lambda a: {"cluster": ClusterId("x")}, "cluster", id="cluster"),
        pytest.param(lambda a: {"tier": 2}, "cluster", id="tier"),
        pytest.param(lambda a: {"term": Term(2)}, "succession", id="term"),
        pytest.param(lambda a: {"blob": HUGE}, "twice the base's size", id="size"),
        pytest.param(
            lambda a: {"contributors": (Contributor(STRANGER, a.base, 1, 1.0),)}, "below", id="who"
        ),
        pytest.param(lambda a: {"metrics": (metrics(STRANGER),)}, "metrics", id="metrics"),
        pytest.param(lambda a: {"metrics": (metrics(a.author),) * 2}, "one", id="metrics-twice"),
    ],
)
def test_an_aggregate_that_breaks_a_rule_is_refused(session: Any, change: Any, rule: str) -> None:
    cluster = session.tree(session.head0).tiers[0][0]
    aggregate = session.aggregate(cluster, session.head0)

    assert check_aggregate(aggregate, window(session), session.spec) == cluster
    with pytest.raises(InvalidRecordError, match=rule):
        check_aggregate(replace(aggregate, **change(aggregate)), window(session), session.spec)


def test_an_aggregate_may_not_name_peers_of_another_cluster(session: Any) -> None:
    one, two = session.tree(session.head0).tiers[0]
    contributors = session.contributors(session.head0, two.peers)

    with pytest.raises(InvalidRecordError, match="below the cluster"):
        check_aggregate(
            session.aggregate(one, session.head0, contributors=contributors),
            window(session),
            session.spec,
        )


def test_a_contribution_must_come_from_the_cohort_and_keep_to_the_cap(session: Any) -> None:
    peer = session.peers[0]

    check_contribution(session.contribution(peer, session.head0), window(session), session.spec)
    with pytest.raises(InvalidRecordError, match="in the cohort of its base"):
        check_contribution(
            session.contribution(STRANGER, session.head0), window(session), session.spec
        )
    with pytest.raises(InvalidRecordError, match="twice the base's size"):
        check_contribution(
            session.contribution(peer, session.head0, blob=HUGE), window(session), session.spec
        )
    with pytest.raises(InvalidRecordError, match="at most 1000"):
        check_contribution(
            session.contribution(peer, session.head0, num_examples=1001),
            window(session),
            session.spec,
        )


def test_heads_are_ordered_by_examples_then_term_then_digest() -> None:
    low, high = "0" * 64, "f" * 64
    keys = [
        HeadKey(1, 0, low),  # type: ignore[arg-type]
        HeadKey(1, 0, high),  # type: ignore[arg-type]
        HeadKey(1, 1, low),  # type: ignore[arg-type]
        HeadKey(2, 0, low),  # type: ignore[arg-type]
    ]

    assert sorted([keys[2], keys[0], keys[3], keys[1]]) == keys


def test_a_child_beats_its_parent_and_a_sibling_of_a_lower_term(session: Any) -> None:
    parent = session.head0
    first, second = session.child(parent), session.child(parent, term=1)

    assert parent.key < first.key < second.key < session.child(first).key


def test_a_signature_changes_no_name(session: Any) -> None:
    head = session.child(session.head0)

    assert head.signed(b"other").digest == replace(head, signature=b"other").digest == head.digest
