from collections.abc import Iterable

import pytest

from swarm.core.ids import PeerId
from swarm.federation.presence import (
    GAPS_REMEMBERED_S,
    LOST_AFTER_S,
    LOST_AFTER_S_MAX,
    RESTART_GRACE_S,
    Presence,
)

ANNA, BEN = PeerId("anna"), PeerId("ben")


@pytest.fixture
def presence() -> Presence:
    presence = Presence()
    presence.watch([ANNA], 0.0)
    return presence


@pytest.mark.parametrize(("now_s", "lost"), [(4.9, False), (5.0, True)])
def test_a_silent_peer_is_lost_after_five_seconds(
    presence: Presence, now_s: float, lost: bool
) -> None:
    assert presence.lost(ANNA, now_s) is lost


def test_a_peer_that_is_heard_is_back(presence: Presence) -> None:
    presence.unreachable(ANNA, 1.0)
    assert presence.lost(ANNA, 1.0)

    presence.heard(ANNA, 2.0)

    assert not presence.lost(ANNA, 6.9)
    assert presence.lost(ANNA, 7.0)


def test_a_refused_redial_or_a_goodbye_loses_a_peer_at_once(presence: Presence) -> None:
    presence.watch([ANNA, BEN], 0.0)
    presence.unreachable(ANNA, 0.1)
    presence.left(BEN)

    assert presence.lost(ANNA, 0.1)
    assert presence.lost(BEN, 0.1)


def test_a_peer_that_is_not_watched_is_never_lost(presence: Presence) -> None:
    presence.unreachable(BEN, 0.0)
    presence.left(BEN)

    assert not presence.lost(BEN, 99.0)
    assert presence.watched == (ANNA,)


def test_watching_on_keeps_the_clock_and_watching_anew_starts_it(presence: Presence) -> None:
    presence.watch([ANNA, BEN], 4.0)

    assert presence.lost(ANNA, 5.0)
    assert not presence.lost(BEN, 8.9)


def test_after_a_restart_silent_peers_have_a_grace_period() -> None:
    presence = Presence()
    presence.restart(100.0)
    presence.watch([ANNA], 100.0)

    presence.unreachable(ANNA, 100.1)

    assert not presence.lost(ANNA, 100.0 + RESTART_GRACE_S - 0.1)
    assert presence.lost(ANNA, 100.0 + RESTART_GRACE_S)


def test_a_refused_dial_does_not_shorten_a_grace_period() -> None:
    presence = Presence()
    presence.restart(100.0)
    presence.watch([ANNA], 100.0)
    presence.watch([ANNA, BEN], 106.0)  # a greater head was adopted

    presence.unreachable(ANNA, 107.0)
    presence.unreachable(BEN, 107.0)

    assert presence.losses(100.0 + RESTART_GRACE_S - 0.1) == []
    presence.unreachable(ANNA, 100.0 + RESTART_GRACE_S)
    assert presence.losses(100.0 + RESTART_GRACE_S) == [ANNA]


def test_a_peer_heard_after_a_restart_has_no_grace_period() -> None:
    presence = Presence()
    presence.restart(100.0)
    presence.watch([ANNA, BEN], 100.0)
    assert presence.losses(100.5) == []
    presence.heard(ANNA, 101.0)
    presence.heard(BEN, 101.0)

    presence.unreachable(ANNA, 101.2)

    assert presence.losses(101.2) == [ANNA]
    assert presence.losses(101.0 + LOST_AFTER_S) == [ANNA, BEN]


# -- peers that are late


def beat(presence: Presence, peer: PeerId, times_s: Iterable[float]) -> float:
    now_s = 0.0
    for now_s in times_s:
        presence.heard(peer, now_s)
    return now_s


def lost_after_s(presence: Presence, peer: PeerId, heard_s: float) -> float:
    """The silence after which a peer is lost, to a tenth of a second."""
    tenths = range(1, 1000)
    return next(k / 10 for k in tenths if presence.lost(peer, heard_s + k / 10))


@pytest.mark.parametrize(
    ("gap_s", "silence_s"), [(1.0, LOST_AFTER_S), (3.0, 9.0), (4.0, 12.0), (40, LOST_AFTER_S_MAX)]
)
def test_a_peer_that_was_late_gets_three_times_its_gap_within_bounds(
    presence: Presence, gap_s: float, silence_s: float
) -> None:
    heard_s = beat(presence, ANNA, (1.0, 1.0 + gap_s, 2.0 + gap_s))

    assert lost_after_s(presence, ANNA, heard_s) == pytest.approx(silence_s, abs=0.11)
    assert presence.losses(heard_s + silence_s - 0.2) == []
    assert presence.losses(heard_s + silence_s + 0.2) == [ANNA]


def test_a_gap_counts_for_one_peer_and_one_minute(presence: Presence) -> None:
    presence.watch([ANNA, BEN], 0.0)
    beat(presence, ANNA, (1.0, 5.0))
    heard_s = beat(presence, ANNA, range(6, 6 + int(GAPS_REMEMBERED_S)))
    beat(presence, BEN, (5.0, 6.0, 7.0))

    assert lost_after_s(presence, ANNA, heard_s) == pytest.approx(LOST_AFTER_S, abs=0.11)
    presence.heard(BEN, 8.0)
    assert lost_after_s(presence, BEN, 8.0) == pytest.approx(3 * 5.0, abs=0.11)


def test_the_time_that_a_peer_was_dead_is_no_gap(presence: Presence) -> None:
    presence.heard(ANNA, 1.0)
    presence.unreachable(ANNA, 2.0)
    presence.heard(ANNA, 30.0)

    assert lost_after_s(presence, ANNA, 30.0) == pytest.approx(LOST_AFTER_S, abs=0.11)


def test_the_time_in_which_this_peer_stood_still_is_nobodys_silence(presence: Presence) -> None:
    presence.heard(ANNA, 10.0)

    presence.stood_still(20.0, 31.0)

    assert presence.losses(31.0) == []
    assert presence.lost(ANNA, 30.0 + LOST_AFTER_S_MAX)  # it may be a while until all is quiet
