"""Deadlines, slow peers and stragglers."""

from dataclasses import replace
from typing import Any

import pytest

from swarm.core.ids import PeerId, Tier
from swarm.core.session import SessionSpec
from swarm.federation.durations import (
    DEADLINE_FACTOR,
    DEADLINE_MARGIN_S,
    DURATIONS_REMEMBERED,
    FIRST_FACTOR,
    LINK_MARGIN_S,
    TIER_MARGIN_S,
    Deadline,
    deadline_after_s,
    stragglers,
)
from swarm.federation.records import Contributor, GlobalModel
from swarm.federation.validity import slow_among

SLOW = PeerId("peer-5")


def head_of(session: Any, *durations_s: float) -> GlobalModel:
    """A child of head 0, whose contributors trained for these times."""
    contributors = tuple(
        Contributor(peer, session.head0.digest, 100, duration_s)
        for peer, duration_s in zip(session.peers, durations_s, strict=False)
    )
    head: GlobalModel = replace(session.child(session.head0), contributors=contributors)
    return head


def head_over_links(session: Any, *transfers_s: float) -> GlobalModel:
    """A child of head 0, whose contributors trained for 4 s; their weights took these times."""
    contributors = tuple(
        Contributor(peer, session.head0.digest, 100, 4.0, transfer_s)
        for peer, transfer_s in zip(session.peers, transfers_s, strict=False)
    )
    head: GlobalModel = replace(session.child(session.head0), contributors=contributors)
    return head


def test_the_first_round_has_the_sessions_deadline(session: Any) -> None:
    spec = SessionSpec(deadline_first_s=77)

    assert deadline_after_s(session.head0, Tier(1), spec) == 77
    assert deadline_after_s(session.head0, Tier(3), spec) == 77 + 2 * TIER_MARGIN_S


def test_a_round_that_is_bounded_by_time_has_time_for_that(session: Any) -> None:
    spec = SessionSpec(deadline_first_s=77, round_seconds=100)

    assert deadline_after_s(session.head0, Tier(1), spec) == 400 + DEADLINE_MARGIN_S


@pytest.mark.parametrize(("timed", "factor"), [(True, DEADLINE_FACTOR), (False, FIRST_FACTOR)])
def test_working_members_have_a_multiple_of_what_a_quorum_took(timed: bool, factor: float) -> None:
    deadline = Deadline(100.0, 130.0, timed)

    assert deadline.latest_s(101.0) == 130
    assert deadline.latest_s(120.0) == 100 + factor * 20 + DEADLINE_MARGIN_S


def test_an_aggregator_is_left_alone_until_its_inputs_are_there_and_while_it_gets_on() -> None:
    deadline, never = Deadline(100.0, 130.0), float("-inf")
    limit_s = 100 + DEADLINE_FACTOR * 10 + DEADLINE_MARGIN_S

    assert deadline.takeover_s(110.0, 115.0, never) == 130
    assert deadline.takeover_s(110.0, 150.0, never) == 150
    assert deadline.takeover_s(110.0, 115.0, 140.0) == 140
    assert deadline.takeover_s(110.0, 115.0, 10_000.0) == limit_s


def test_a_pause_moves_all_times() -> None:
    deadline = Deadline(100.0, 130.0).later(60.0)

    assert deadline == Deadline(160.0, 190.0)


@pytest.mark.parametrize(
    "durations_s", [(3, 4, 5), (1, 4, 10**6), (4, 10**9)], ids=["even", "one-lies", "one-of-two"]
)
def test_half_of_the_peers_cannot_stretch_the_deadline(
    session: Any, durations_s: tuple[float, ...]
) -> None:
    deadline_s = deadline_after_s(head_of(session, *durations_s), Tier(1), session.spec)

    assert deadline_s == DEADLINE_FACTOR * 4 + DEADLINE_MARGIN_S


def test_a_short_deadline_is_the_sessions_least(session: Any) -> None:
    spec = replace(session.spec, deadline_min_s=60)

    assert deadline_after_s(head_of(session, 1, 1, 1), Tier(1), spec) == 60


def test_a_peer_that_took_longer_than_the_deadline_is_not_waited_for(session: Any) -> None:
    past = [head_of(session, 4, 4, 4, 4, 4, 30)]

    assert stragglers([SLOW, session.peers[0]], past, 21.0) == {SLOW}


def test_the_newest_duration_counts(session: Any) -> None:
    past = [head_of(session, 4, 4), head_of(session, 30, 4)]

    assert stragglers(session.peers, past, 21.0) == frozenset()


def test_the_slowest_peer_gets_another_chance_after_many_heads(session: Any) -> None:
    past = [head_of(session, 4)] * DURATIONS_REMEMBERED + [head_of(session, 4, 4, 4, 4, 4, 30)]

    assert stragglers([SLOW], past, 21.0) == frozenset()
    assert stragglers([SLOW], past[1:], 21.0) == {SLOW}


def test_a_peer_with_a_slow_link_is_not_waited_for_even_with_a_late_deadline(
    session: Any,
) -> None:
    past = [head_over_links(session, 0.1, 0.1, 0.2, 0.1, 0.1, 10.0)]

    assert stragglers(session.peers, past, 1000.0) == {SLOW}


def test_links_that_are_all_slow_stretch_the_deadline_and_make_no_stragglers(session: Any) -> None:
    head = head_over_links(session, 10, 11, 12, 10, 11, 13)
    deadline_s = deadline_after_s(head, Tier(1), session.spec)

    assert deadline_s == DEADLINE_FACTOR * 15 + DEADLINE_MARGIN_S
    assert stragglers(session.peers, [head], deadline_s) == frozenset()


def test_a_second_lost_in_transfer_makes_no_straggler(session: Any) -> None:
    past = [head_over_links(session, 0, 0, 0, 0, 0, LINK_MARGIN_S)]

    assert stragglers(session.peers, past, 1000.0) == frozenset()


def test_transfer_time_makes_a_peer_slow(session: Any) -> None:
    assert slow_among(head_over_links(session, 0.1, 0.1, 0.1, 0.1, 0.1, 10.0), None) == (SLOW,)


def test_a_peer_with_a_slow_link_takes_no_duty_even_if_training_is_long(session: Any) -> None:
    assert slow_among(head_over_links(session, 0.1, 0.1, 0.1, 0.1, 0.1, 2.5), None) == (SLOW,)


def test_a_wait_that_all_share_counts_as_the_roots_slow_link(session: Any) -> None:
    root = replace(session.head0, author=SLOW)

    assert slow_among(head_over_links(session, 10.0, 10.1, 10.2, 10.0, 10.6, 0.0), root) == (SLOW,)
    assert slow_among(head_over_links(session, 0.1, 0.1, 0.2, 0.1, 0.1, 0.0), root) == ()


def test_one_peer_that_claims_no_wait_does_not_hide_the_others_wait(session: Any) -> None:
    root = replace(session.head0, author=SLOW)

    assert slow_among(head_over_links(session, 10.0, 0.0, 10.2, 10.0, 10.6, 0.0), root) == (SLOW,)


def test_the_wait_of_one_peer_alone_is_not_the_roots_slow_link(session: Any) -> None:
    root = replace(session.head0, author=session.peers[0])
    head = replace(head_over_links(session, 0.0, 0.1, 0.1), parent=root.digest)
    (rooted, other, stale) = head.contributors
    mixed = (rooted, replace(other, transfer_s=10.0, base=root.digest), stale)

    assert slow_among(replace(head, contributors=mixed), root)[0] != session.peers[0]


def test_a_newcomer_that_was_not_timed_takes_no_duty_yet(session: Any) -> None:
    newcomer = PeerId("newcomer")
    head = replace(head_of(session, 4, 4, 4, 4, 4, 4), cohort=(*session.peers, newcomer))

    assert slow_among(head, session.head0) == (newcomer,)
    assert slow_among(session.head0, None) == ()  # no peer was timed, and some peer must take duty


def test_peers_left_out_by_a_minority_may_take_duty(session: Any) -> None:
    """The author's own link may have kept them out; it must not come first for ever."""
    named = session.contributors(session.head0, session.peers[:3])
    half = session.child(session.head0, contributors=named)
    minority = session.child(session.head0, contributors=named[1:])

    assert half.slow == session.peers[3:]
    assert minority.slow == ()
