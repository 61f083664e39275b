"""Roster: which members are present, and which card of a member counts."""

from swarm.core.ids import PeerId
from swarm.ensemble.messages import MemberHeartbeat
from swarm.ensemble.records import MEMBERS_MAX
from swarm.ensemble.roster import LOST_AFTER_S, Roster
from tests.ensemble.parts import ME, OTHER, card, make_spec, model

SPEC = make_spec()


def test_a_member_is_present_once_its_card_came_and_lost_when_silent() -> None:
    roster = Roster()
    assert roster.take_heartbeat(MemberHeartbeat(SPEC.id, OTHER, 3), 0.0)
    assert roster.present(0.0) == ()

    assert roster.take_card(card(OTHER, 3, model(1)), 1.0)

    assert roster.present(1.0) == (OTHER,)
    assert not roster.take_heartbeat(MemberHeartbeat(SPEC.id, OTHER, 3), 2.0)
    assert roster.present(2.0 + LOST_AFTER_S - 0.1) == (OTHER,)
    assert roster.present(2.0 + LOST_AFTER_S) == ()


def test_an_earlier_card_does_not_replace_a_later_one() -> None:
    roster = Roster()
    roster.take_card(card(OTHER, 3, model(1)), 0.0)

    assert not roster.take_card(card(OTHER, 2, model(2)), 1.0)

    known = roster.card(OTHER)
    assert known is not None
    assert known.champion == model(1)


def test_a_member_whose_connection_broke_is_lost_until_it_is_heard() -> None:
    roster = Roster()
    roster.take_card(card(OTHER, 1, model(1)), 0.0)
    roster.note_lost(OTHER)
    assert roster.present(0.0) == ()

    roster.take_heartbeat(MemberHeartbeat(SPEC.id, OTHER, 1), 1.0)

    assert roster.present(1.0) == (OTHER,)


def test_a_member_that_left_is_forgotten() -> None:
    roster = Roster()
    roster.take_card(card(OTHER, 1, model(1)), 0.0)

    roster.forget(OTHER)

    assert roster.cards == {}


def test_a_members_own_roster_leaves_it_out() -> None:
    roster = Roster(without=ME)

    assert not roster.take_card(card(ME, 1, model(1)), 0.0)
    assert roster.cards == {}


def test_a_full_roster_takes_a_new_member_only_for_a_lost_one() -> None:
    roster = Roster()
    for number in range(MEMBERS_MAX):
        roster.take_card(card(PeerId(f"peer{number:02}"), 1, model(1)), 0.0)

    assert not roster.take_card(card(OTHER, 1, model(1)), 1.0)
    assert roster.take_card(card(OTHER, 1, model(1)), LOST_AFTER_S)
    assert len(roster.cards) == MEMBERS_MAX
