import pytest

from swarm.core.ids import PeerId
from swarm.federation.presence import LOST_AFTER_S, RESTART_GRACE_S, Presence

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
