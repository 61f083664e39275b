"""The sentences of alerts: what happened, to which peers, and what it cost."""

from typing import Any

from swarm.core.ids import PeerId, RoundNumber
from swarm.federation.ledger_entries import LedgerEntry
from swarm.federation.records import GlobalModel, Merged
from swarm.watching.federation.alerts import Alert, alerts_of


def entry(session: Any, kind: str, author: PeerId, about: PeerId | None, text: str) -> LedgerEntry:
    return LedgerEntry(
        session.spec.id, author, 1, 5.0, kind, RoundNumber(1), about, text, signature=b"s"
    )


def alerts(session: Any, *heads: GlobalModel, noted: tuple[LedgerEntry, ...] = ()) -> list[Alert]:
    return alerts_of(noted, heads[::-1], (), 0.1, session.spec)


def made_by(session: Any, parent: GlobalModel, *peers: PeerId, **fields: Any) -> GlobalModel:
    head: GlobalModel = session.child(
        parent, contributors=session.contributors(parent, peers), cohort=parent.cohort, **fields
    )
    return head


def test_a_takeover_says_who_did_what_instead_of_whom_why_and_what_it_cost(session: Any) -> None:
    head0 = session.head0
    author, gone, *others = session.peers
    text = f"{author} combined cluster 1 instead of {gone}, which stopped answering"
    noted = (entry(session, "takeover", author, author, text),)
    whole = made_by(session, head0, *session.peers)
    less = made_by(session, head0, author, *others)

    assert [a.text for a in alerts(session, head0, noted=noted)] == [text]
    assert [a.text for a in alerts(session, head0, whole, noted=noted)] == [
        f"{text}; nothing was lost"
    ]
    assert [a.text for a in alerts(session, head0, less, noted=noted)] == [
        f"{text}; the work of {gone} is missing in round 1"
    ]


def test_a_takeover_found_in_a_head_names_the_peers_before_its_author(session: Any) -> None:
    head0 = session.head0
    first = session.child(head0).author
    head = session.child(head0, term=1)
    noted = (entry(session, "lost", head.author, first, f"{first} stopped answering"),)

    (late,) = alerts(session, head0, head)
    lost = next(a for a in alerts(session, head0, head, noted=noted) if a.kind == "takeover")

    what = f"{head.author} combined the model of round 1 instead of {first}"
    assert late.text == f"{what}, which had nothing to show in time; nothing was lost"
    assert lost.text == f"{what}, which stopped answering; nothing was lost"


def test_a_loss_says_what_became_of_the_lost_peers_work(session: Any) -> None:
    head0 = session.head0
    gone, *others = session.peers
    noted = (entry(session, "lost", others[0], gone, f"{gone} stopped answering"),)

    (counted,) = alerts(session, head0, session.child(head0), noted=noted)
    (missing,) = alerts(session, head0, made_by(session, head0, *others), noted=noted)

    assert counted.text == f"{gone} stopped answering; the others went on, and nothing was lost"
    assert missing.text == (
        f"{gone} stopped answering; the others went on, and the work of {gone} is missing in "
        "round 1"
    )


def test_a_late_half_is_late_and_no_partition(session: Any) -> None:
    head0 = session.head0
    fast, late = session.peers[:3], session.peers[3:]
    head1 = made_by(session, head0, *fast)
    stale = session.contributors(head0, late)
    fresh = session.contributors(head1, session.peers)
    head2 = session.child(head1, contributors=(*fresh, *stale), cohort=head1.cohort)

    (now,) = alerts(session, head0, head1)
    later = [a for a in alerts(session, head0, head1, head2) if a.round == 1]

    what = f"{late[0]}, {late[1]} and another peer"
    slow = f"{what} were slow: round 1 was made by 3 of 6 peers"
    assert (now.kind, now.severity) == ("late", "info")
    assert now.text == f"{slow}; the work of {what} is missing in round 1"
    assert [a.text for a in later] == [f"{slow}; the work of {what} counted later"]


def test_a_missing_half_whose_work_is_merged_was_a_partition(session: Any) -> None:
    head0 = session.head0
    few, cut_off = session.peers[:3], session.peers[3:]
    theirs = made_by(session, head0, *cut_off, term=1)
    head1 = made_by(session, head0, *few)
    merged = (Merged(theirs.digest, 300),)
    head2 = made_by(session, head1, *session.peers, merged=merged)

    (split, merge) = alerts(session, head0, head1, head2)

    assert (split.kind, split.severity, split.round) == ("partition", "error", 1)
    assert split.text.startswith("the swarm was split: round 1 was made by 3 of 6 peers")
    assert split.text.endswith("the work of the other side was merged into round 2")
    assert merge.kind == "merged"


def test_a_half_that_is_known_to_be_gone_needs_no_further_alert(session: Any) -> None:
    head0 = session.head0
    here, gone = session.peers[:3], session.peers[3:]
    noted = tuple(
        entry(session, "lost", here[0], peer, f"{peer} stopped answering") for peer in gone
    )

    found = alerts(session, head0, made_by(session, head0, *here), noted=noted)

    assert {alert.kind for alert in found} == {"lost"}
