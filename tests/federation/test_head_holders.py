from typing import Any

from swarm.core.effects import Send
from swarm.core.ids import Digest, PeerId
from swarm.federation.early_announcements import EARLY_MAX, EarlyAnnouncements
from swarm.federation.head_holders import ASK_AGAIN_AFTER_S, ASKED_MAX, KEYS_MAX, HeadHolders
from swarm.federation.messages import HeadRequest

ANNA, BEN = PeerId("anna"), PeerId("ben")


def test_one_record_is_asked_for_once_in_a_while(session: Any) -> None:
    head_holders = HeadHolders(session.spec.id, BEN)
    digest = session.head0.digest
    request = Send(ANNA, HeadRequest(session.spec.id, BEN, digest, 3))

    assert head_holders.ask(digest, ANNA, 0.0, 3) == [request]
    assert head_holders.ask(digest, PeerId("cleo"), 0.9, 3) == []
    assert head_holders.ask(digest, ANNA, ASK_AGAIN_AFTER_S, 3) == [request]
    assert head_holders.ask(None, BEN, 0.0, 1) == []


def test_each_peer_may_be_asked_for_a_head_that_all_work_on(session: Any) -> None:
    head_holders = HeadHolders(session.spec.id, BEN)
    digest, cleo = session.head0.digest, PeerId("cleo")

    assert head_holders.ask(digest, ANNA, 0.0, 1, others_too=True)
    assert head_holders.ask(digest, cleo, 0.1, 1, others_too=True)
    assert head_holders.ask(digest, cleo, 0.2, 1, others_too=True) == []


def test_a_peer_that_names_many_records_does_not_cause_as_many_requests(session: Any) -> None:
    head_holders = HeadHolders(session.spec.id, BEN)
    digests = [Digest(f"{k:064x}") for k in range(ASKED_MAX + 3)]

    asked = [head_holders.ask(digest, ANNA, 0.0, 1) for digest in digests]

    assert sum(map(len, asked)) == ASKED_MAX
    assert head_holders.ask(digests[-1], ANNA, ASK_AGAIN_AFTER_S, 1)


def test_a_peer_that_holds_a_greater_head_counts_as_holding_this_one(session: Any) -> None:
    head_holders = HeadHolders(session.spec.id, BEN)
    parent, child = session.chain(1)
    head_holders.note(ANNA, child.key)

    assert head_holders.holds(ANNA, parent.key)
    assert not head_holders.holds(BEN, parent.key)
    assert head_holders.holders(child.key) == (ANNA,)
    assert head_holders.holders(parent.key) == ()


def test_the_peers_heard_longest_ago_are_forgotten(session: Any) -> None:
    head_holders = HeadHolders(session.spec.id, BEN)
    key = session.head0.key
    for k in range(KEYS_MAX):
        head_holders.note(PeerId(f"peer-{k}"), key)
    head_holders.note(PeerId("peer-0"), key)
    head_holders.note(ANNA, key)

    assert len(head_holders.holders(key)) == KEYS_MAX
    assert not head_holders.holds(PeerId("peer-1"), key)
    assert head_holders.holds(PeerId("peer-0"), key)


def test_early_announcements_are_taken_once_and_bounded(session: Any) -> None:
    early = EarlyAnnouncements()
    mine = session.contribution(ANNA, session.head0)
    early.keep(mine)
    for k in range(EARLY_MAX + 5):
        early.keep(session.contribution(BEN, session.child(session.head0), num_examples=k + 1))

    assert len(early.blobs()) == 2
    assert early.take(session.head0.digest) == [mine]
    assert early.take(session.child(session.head0).digest) == []
