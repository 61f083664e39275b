"""Which sessions a peer takes part in."""

from dataclasses import replace

import pytest

from swarm.core.effects import PeerConnected, PeerUnreachable, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, SetTimer, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.messages import SessionOffer, SessionQuery
from swarm.federation.session_choice import (
    ASK,
    ASK_EVERY_S,
    ASKED_MAX,
    IDLE_ASK_EVERY_S,
    IDLE_ASKED_MAX,
    JoinOrdered,
    LeaveOrdered,
    SessionBegun,
    SessionChoice,
    SessionOver,
    TakeUp,
)

ME, ANNA, BEN = PeerId("me"), PeerId("anna"), PeerId("ben")
FIRST = SessionSpec(starter=ANNA)
SECOND, THIRD = replace(FIRST, rounds=7), replace(FIRST, rounds=8)


@pytest.fixture
def choice() -> SessionChoice:
    machine = SessionChoice(ME)
    assert machine.start(0.0) == [SetTimer(ASK, ASK_EVERY_S)]
    return machine


def offer(spec: SessionSpec, sender: PeerId = ANNA) -> SessionOffer:
    return SessionOffer(sender, spec)


def queries(effects: list[Effect]) -> list[PeerId]:
    return [e.peer for e in effects if isinstance(e, Send) and isinstance(e.message, SessionQuery)]


def test_a_peer_that_connects_is_asked_at_once(choice: SessionChoice) -> None:
    assert choice.handle(PeerConnected(ANNA), 0.0) == [Send(ANNA, SessionQuery(ME))]


def test_the_first_offer_is_taken_up(choice: SessionChoice) -> None:
    assert choice.handle(offer(FIRST), 1.0) == [TakeUp(FIRST, (ANNA,))]


def test_while_a_session_runs_no_other_is_taken_up_and_none_asked_for(
    choice: SessionChoice,
) -> None:
    choice.handle(PeerConnected(ANNA), 0.0)
    choice.handle(offer(FIRST), 1.0)

    assert choice.handle(offer(SECOND), 2.0) == []
    assert queries(choice.handle(TimerFired(ASK), 3.0)) == []


def test_when_a_session_is_over_the_newest_offer_is_taken_up(choice: SessionChoice) -> None:
    choice.handle(offer(FIRST), 1.0)
    choice.handle(offer(SECOND), 2.0)
    choice.handle(offer(THIRD, BEN), 3.0)

    assert choice.handle(SessionOver(FIRST.id), 4.0) == [TakeUp(THIRD, (BEN,))]


def test_when_a_session_is_over_others_are_asked_now_and_then(choice: SessionChoice) -> None:
    for k in range(20):
        choice.handle(PeerConnected(PeerId(f"peer-{k}")), 0.0)
    assert len(queries(choice.handle(TimerFired(ASK), 1.0))) == ASKED_MAX
    choice.handle(SessionBegun(FIRST), 1.0)
    choice.handle(SessionOver(FIRST.id), 2.0)

    effects = choice.handle(TimerFired(ASK), 3.0)

    assert len(queries(effects)) == IDLE_ASKED_MAX
    assert effects[-1] == SetTimer(ASK, 3.0 + IDLE_ASK_EVERY_S)


def test_a_session_that_this_peer_had_is_not_taken_up_again(choice: SessionChoice) -> None:
    choice.handle(offer(FIRST), 1.0)
    choice.handle(SessionOver(FIRST.id), 2.0)

    assert choice.handle(offer(FIRST, BEN), 3.0) == []


def test_an_idle_peer_takes_up_nothing_by_itself() -> None:
    idle = SessionChoice(ME, asks=False)
    idle.start(0.0)

    assert queries(idle.handle(PeerConnected(ANNA), 0.0)) == []
    assert idle.handle(offer(FIRST), 1.0) == []


def test_an_idle_peer_takes_up_the_session_that_an_operator_names() -> None:
    idle = SessionChoice(ME, asks=False)
    idle.start(0.0)
    idle.handle(PeerConnected(ANNA), 0.0)

    asks = idle.handle(JoinOrdered(FIRST.id), 1.0)

    assert asks == [Send(ANNA, SessionQuery(ME, FIRST.id))]
    assert idle.handle(offer(SECOND), 2.0) == []
    assert idle.handle(offer(FIRST), 2.0) == [TakeUp(FIRST, (ANNA,))]


def test_a_session_that_an_operator_names_is_taken_up_beside_the_one_that_runs(
    choice: SessionChoice,
) -> None:
    choice.handle(offer(FIRST), 1.0)
    choice.handle(offer(SECOND), 2.0)

    assert choice.handle(JoinOrdered(SECOND.id), 3.0) == [TakeUp(SECOND, (ANNA,))]


def test_an_ordered_session_that_runs_already_is_not_taken_up_twice(choice: SessionChoice) -> None:
    choice.handle(offer(FIRST), 1.0)

    assert choice.handle(JoinOrdered(FIRST.id), 2.0) == []
    assert choice.handle(offer(FIRST), 3.0) == []


def test_a_peer_that_is_gone_is_not_asked(choice: SessionChoice) -> None:
    choice.handle(PeerConnected(ANNA), 0.0)
    choice.handle(PeerUnreachable(ANNA), 0.5)

    assert queries(choice.handle(TimerFired(ASK), 1.0)) == []


def test_before_the_start_nothing_is_asked_for_or_taken_up() -> None:
    machine = SessionChoice(ME)

    assert machine.handle(PeerConnected(ANNA), 0.0) == []
    assert machine.handle(offer(FIRST), 0.5) == []
    assert TakeUp(FIRST, (ANNA,)) in machine.start(1.0)


def test_a_peer_that_resumed_a_session_before_the_start_takes_up_no_other() -> None:
    machine = SessionChoice(ME)
    machine.handle(offer(SECOND), 0.0)
    machine.handle(SessionBegun(FIRST), 0.5)

    assert machine.start(1.0) == [SetTimer(ASK, 1.0 + ASK_EVERY_S)]


def test_a_session_that_was_left_is_joined_again_only_when_an_operator_orders_it(
    choice: SessionChoice,
) -> None:
    choice.handle(offer(FIRST), 1.0)
    choice.handle(LeaveOrdered(FIRST.id), 2.0)
    choice.handle(SessionOver(FIRST.id), 2.0)
    assert choice.handle(offer(FIRST), 3.0) == []

    choice.handle(JoinOrdered(FIRST.id), 4.0)

    assert choice.handle(offer(FIRST), 5.0) == [TakeUp(FIRST, (ANNA,))]


def test_an_order_to_leave_ends_the_search_for_a_session_that_was_ordered_before() -> None:
    idle = SessionChoice(ME, asks=False)
    idle.start(0.0)
    idle.handle(JoinOrdered(FIRST.id), 1.0)

    idle.handle(LeaveOrdered(FIRST.id), 2.0)

    assert idle.handle(PeerConnected(ANNA), 3.0) == []
    assert idle.handle(offer(FIRST), 4.0) == []
