from typing import Any

from swarm.core.effects import PeerConnected, PeerUnreachable, Send
from swarm.core.ids import PeerId
from swarm.core.machine import SetTimer, TimerFired
from swarm.core.session import COHORT_MAX
from swarm.federation.joiners import JOIN_REQUEST_EXPIRES_AFTER_S, Joiners
from swarm.federation.joining import ASK, ASK_EVERY_S, ASKED_MAX, Joining
from swarm.federation.messages import SessionOffer, SessionQuery

ME, ANNA = PeerId("me"), PeerId("anna")


def test_a_joiner_asks_each_peer_it_connects_to_and_asks_again() -> None:
    joining = Joining(ME)

    assert joining.start(0.0) == [SetTimer(ASK, ASK_EVERY_S)]
    query = Send(ANNA, SessionQuery(ME))
    assert joining.handle(PeerConnected(ANNA), 0.5) == [query]
    assert joining.handle(TimerFired(ASK), 1.0) == [query, SetTimer(ASK, 2.0)]


def test_every_connected_peer_is_asked_in_turn() -> None:
    joining = Joining(ME)
    peers = [PeerId(f"peer-{k}") for k in range(ASKED_MAX + 3)]
    for peer in peers:
        joining.handle(PeerConnected(peer), 0.0)

    asked = [
        effect.peer
        for now_s in (1.0, 2.0)
        for effect in joining.handle(TimerFired(ASK), now_s)
        if isinstance(effect, Send)
    ]

    assert set(asked) == set(peers)


def test_an_unreachable_peer_is_not_asked() -> None:
    joining = Joining(ME)
    joining.handle(PeerConnected(ANNA), 0.0)
    joining.handle(PeerUnreachable(ANNA), 0.1)

    assert joining.handle(TimerFired(ASK), 1.0) == [SetTimer(ASK, 2.0)]


def test_the_first_offer_counts(session: Any) -> None:
    joining = Joining(ME)
    first = SessionOffer(ANNA, session.spec)

    assert joining.handle(first, 0.0) == []
    joining.handle(SessionOffer(PeerId("ben"), session.spec), 0.1)

    assert joining.offer == first
    assert joining.handle(TimerFired(ASK), 1.0) == []


def test_a_join_request_expires_unless_it_is_repeated() -> None:
    joiners = Joiners()
    joiners.note([ANNA], 0.0)
    joiners.note([ME], 5.0)

    assert joiners.current(JOIN_REQUEST_EXPIRES_AFTER_S - 0.1) == (ANNA, ME)
    assert joiners.current(JOIN_REQUEST_EXPIRES_AFTER_S) == (ME,)
    joiners.forget([ME])
    assert joiners.current(JOIN_REQUEST_EXPIRES_AFTER_S) == ()


def test_join_requests_are_bounded() -> None:
    joiners = Joiners()
    joiners.note([PeerId(f"peer-{k}") for k in range(COHORT_MAX + 50)], 0.0)

    assert len(joiners.current(1.0)) == COHORT_MAX
