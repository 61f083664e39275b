from dataclasses import replace
from typing import Any

import pytest

from swarm.federation.lineage import KNOWN_MAX, ORPHANS_MAX, Lineage
from swarm.federation.validity import InvalidRecordError


def test_the_greatest_of_known_heads_is_the_first_candidate(session: Any) -> None:
    lineage = Lineage(session.spec)
    parent = session.head0
    first, second = session.child(parent), session.child(parent, term=1)

    for head in (parent, second, first):
        assert lineage.add(head, trusted=False)

    assert lineage.candidates() == [second, first, parent]
    lineage.adopt(second)
    assert lineage.candidates() == []


def test_a_lower_head_is_never_adopted(session: Any) -> None:
    lineage = Lineage(session.spec)
    parent, child = session.chain(1)
    lineage.add(parent, trusted=False)
    lineage.add(child, trusted=False)
    lineage.adopt(child)

    with pytest.raises(ValueError, match="greater"):
        lineage.adopt(parent)


def test_an_orphan_waits_for_its_ancestors(session: Any) -> None:
    lineage = Lineage(session.spec)
    heads = session.chain(3)
    lineage.add(heads[0], trusted=False)

    assert not lineage.add(heads[3], trusted=False)
    assert not lineage.add(heads[2], trusted=False)
    assert lineage.missing(heads[3].digest) == heads[1].digest
    assert lineage.add(heads[1], trusted=False)
    assert lineage.get(heads[3].digest) == heads[3]
    assert lineage.missing(heads[3].digest) is None


def test_an_invalid_orphan_is_dropped_when_its_parent_comes(session: Any) -> None:
    lineage = Lineage(session.spec)
    heads = session.chain(2)
    bad = replace(heads[2], examples_before=5)
    lineage.add(heads[0], trusted=False)
    lineage.add(bad, trusted=False)

    lineage.add(heads[1], trusted=False)

    assert lineage.get(bad.digest) is None
    assert [h.round for h in lineage.candidates()] == [1, 0]


def test_a_joiner_believes_its_bootstraps_first_head_only(session: Any) -> None:
    heads = session.chain(5)
    lineage = Lineage(session.spec)

    assert lineage.add(heads[4], trusted=True)
    lineage.adopt(heads[4])

    stranger = replace(heads[5], parent="0" * 64)
    assert not lineage.add(stranger, trusted=True)
    assert lineage.add(heads[5], trusted=False)


def test_a_trusted_head_keeps_to_the_sessions_rules(session: Any) -> None:
    head = replace(session.chain(3)[3], session="other")

    with pytest.raises(InvalidRecordError, match="session"):
        Lineage(session.spec).add(head, trusted=True)


def test_an_ancestor_of_a_trusted_head_is_known_by_its_digest(session: Any) -> None:
    """A joiner that was given a head which lost to its sibling can still follow the winner."""
    heads = session.chain(40)
    lost = session.child(heads[39], term=1, contributors=heads[40].contributors[:1])
    winner = session.child(session.child(heads[39], term=2), term=0)
    lineage = Lineage(session.spec)
    lineage.add(lost, trusted=True)
    lineage.adopt(lost)

    assert not lineage.add(winner, trusted=False)
    assert lineage.add(heads[39], trusted=False)
    lineage.add(session.child(heads[39], term=2), trusted=False)

    assert lineage.candidates()[0] == winner


def test_two_heads_0_of_a_forgetful_starter_are_ordered_like_any_siblings(session: Any) -> None:
    one, two = sorted(
        (session.head0, session.first(session.child(session.head0).blob)), key=lambda h: h.key
    )
    lineage = Lineage(session.spec)

    assert lineage.add(two, trusted=False)
    assert lineage.add(one, trusted=False)
    assert lineage.candidates() == [two, one]
    assert lineage.add(session.child(one), trusted=False)
    assert lineage.candidates()[0].parent == one.digest


def test_memory_is_bounded_and_keeps_the_held_head(session: Any) -> None:
    lineage = Lineage(session.spec)
    head = session.head0
    lineage.add(head, trusted=False)
    lineage.adopt(head)
    contributors = session.contributors(head, head.cohort)
    author = session.ranking(head, session.tree(head).root)[0]
    for k in range(KNOWN_MAX + 10):
        child = session.child(
            head, contributors=contributors, author=author, cohort=(f"peer-{k}",)
        )
        lineage.add(child, trusted=False)

    assert lineage.get(head.digest) == head
    assert len(lineage.candidates()) < KNOWN_MAX
    for k in range(ORPHANS_MAX + 10):
        orphan = replace(child, parent=f"{k:064x}")
        lineage.add(orphan, trusted=False)
    assert lineage.missing(orphan.digest) == orphan.parent
