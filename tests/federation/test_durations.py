"""Deadlines, and who is not waited for."""

from dataclasses import replace
from typing import Any

import pytest

from swarm.core.ids import PeerId, Tier
from swarm.core.session import SessionSpec
from swarm.federation.durations import (
    DEADLINE_FACTOR,
    DEADLINE_MARGIN_S,
    DURATIONS_REMEMBERED,
    TIER_MARGIN_S,
    deadline_after_s,
    hopeless_peers,
)
from swarm.federation.messages import Contributor, GlobalModel

SLOW = PeerId("peer-5")


def head_of(session: Any, *durations_s: float) -> GlobalModel:
    """A child of head 0, its contributors trained for so long."""
    contributors = tuple(
        Contributor(peer, session.head0.digest, 100, duration_s)
        for peer, duration_s in zip(session.peers, durations_s, strict=False)
    )
    head: GlobalModel = replace(session.child(session.head0), contributors=contributors)
    return head


def test_the_first_round_has_the_sessions_deadline(session: Any) -> None:
    spec = SessionSpec(deadline_first_s=77)

    assert deadline_after_s(session.head0, Tier(1), spec) == 77
    assert deadline_after_s(session.head0, Tier(3), spec) == 77 + 2 * TIER_MARGIN_S


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


def test_who_took_longer_than_the_deadline_is_not_waited_for(session: Any) -> None:
    past = [head_of(session, 4, 4, 4, 4, 4, 30)]

    assert hopeless_peers([SLOW, session.peers[0]], past, 21.0) == {SLOW}


def test_the_newest_duration_counts(session: Any) -> None:
    past = [head_of(session, 4, 4), head_of(session, 30, 4)]

    assert hopeless_peers(session.peers, past, 21.0) == frozenset()


def test_in_the_end_even_the_slowest_gets_another_chance(session: Any) -> None:
    past = [head_of(session, 4)] * DURATIONS_REMEMBERED + [head_of(session, 4, 4, 4, 4, 4, 30)]

    assert hopeless_peers([SLOW], past, 21.0) == frozenset()
    assert hopeless_peers([SLOW], past[1:], 21.0) == {SLOW}
