"""SessionChoice: which sessions a peer takes part in.

A peer works on one session at a time. While it has none, it asks connected peers which session
they run, and takes up the first one that is new to it. While it has one, it remembers what others
offer. When its session is over, it takes up the newest offer. An operator's command overrides
both: the named session is taken up beside the one that runs, or is left.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from swarm.core.effects import PeerConnected, PeerUnreachable, Send
from swarm.core.ids import PeerId, SessionId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.messages import SessionOffer, SessionQuery

ASK = "sessions.ask"
ASK_EVERY_S = 1.0
"""Seconds between two questions of a peer that had no session yet, or was ordered to join one."""
IDLE_ASK_EVERY_S = 5.0
"""Seconds between two questions of a peer whose sessions are over."""
ASKED_MAX = 8
"""Most peers that a peer without any session so far asks at a time."""
IDLE_ASKED_MAX = 2
OFFERS_MAX = 16
"""Most offers remembered; a newer one replaces the oldest."""
ORDERED_MAX = 16


@dataclass(frozen=True, slots=True)
class TakeUp(Effect):
    """Take part in this session."""

    spec: SessionSpec
    offered_by: tuple[PeerId, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionBegun(Event):
    """This peer takes part in a session now, whether it joined, resumed or started it."""

    spec: SessionSpec


@dataclass(frozen=True, slots=True)
class SessionOver(Event):
    """Nothing is left to do in a session here: it is finished, or this peer left it."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class JoinOrdered(Event):
    """A trusted operator wants this peer in a session, whatever else runs here."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class LeaveOrdered(Event):
    """A trusted operator wants this peer to stay out of a session."""

    session: SessionId


class SessionChoice:
    """Decides which session to take up, from offers, ends of sessions and operators' commands.

    Invariants:
        Before `start` nothing is taken up: the peer may be about to resume or start a session.
        No session is taken up twice, unless an operator orders it again.
        While a session runs here, only an operator's command makes the peer take up another.
    """

    def __init__(self, me: PeerId, *, asks: bool = True) -> None:
        """Make the machine.

        Args:
            me: This peer.
            asks: Whether to look for a session from `start` on. If not, the peer begins to look
                once it has had a session.
        """
        self._me = me
        self._asks = asks
        self._has_started = False
        self._connected: dict[PeerId, None] = {}
        self._running: set[SessionId] = set()
        self._had: set[SessionId] = set()
        self._offers: dict[SessionId, TakeUp] = {}
        self._ordered: dict[SessionId, None] = {}

    def start(self, now_s: float) -> list[Effect]:
        """Begin to ask, and take up what was offered before."""
        self._has_started = True
        asked = list(self._connected)[:ASKED_MAX]
        return [*self._choose(), *self._questions(asked), SetTimer(ASK, now_s + ASK_EVERY_S)]

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine.Machine.handle`."""
        handler = _HANDLERS.get(type(event))
        return handler(self, event, now_s) if handler is not None else []

    @property
    def num_offers(self) -> int:
        """Number of offers remembered."""
        return len(self._offers)

    @property
    def _is_free(self) -> bool:
        return self._asks and self._has_started and not self._running

    def _on_connected(self, event: PeerConnected, _now_s: float) -> list[Effect]:
        self._connected[event.peer] = None
        return self._questions([event.peer])

    def _on_unreachable(self, event: PeerUnreachable, _now_s: float) -> list[Effect]:
        self._connected.pop(event.peer, None)
        return []

    def _on_offer(self, event: SessionOffer, _now_s: float) -> list[Effect]:
        session = event.spec.id
        if session in self._had - self._ordered.keys():
            return []
        self._offers.pop(session, None)
        self._offers[session] = TakeUp(event.spec, (event.sender,))
        if len(self._offers) > OFFERS_MAX:
            del self._offers[next(iter(self._offers))]
        return self._choose()

    def _on_begun(self, event: SessionBegun, _now_s: float) -> list[Effect]:
        self._begin(event.spec.id)
        self._asks = True
        return []

    def _on_over(self, event: SessionOver, _now_s: float) -> list[Effect]:
        self._running.discard(event.session)
        return self._choose()

    def _on_ordered(self, event: JoinOrdered, _now_s: float) -> list[Effect]:
        if event.session not in self._running and len(self._ordered) < ORDERED_MAX:
            self._ordered[event.session] = None
        return self._choose() + self._questions(self._connected)

    def _on_leave(self, event: LeaveOrdered, _now_s: float) -> list[Effect]:
        self._had.add(event.session)
        self._offers.pop(event.session, None)
        self._ordered.pop(event.session, None)
        return []

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name != ASK:
            return []
        eager = bool(self._ordered) or not self._had
        asked = list(self._connected)[: ASKED_MAX if eager else IDLE_ASKED_MAX]
        for peer in asked:  # others next time: these may not know of a session themselves
            del self._connected[peer]
            self._connected[peer] = None
        again_s = ASK_EVERY_S if eager else IDLE_ASK_EVERY_S
        return [*self._questions(asked), SetTimer(ASK, now_s + again_s)]

    def _questions(self, peers: Iterable[PeerId]) -> list[Effect]:
        wanted: list[SessionId | None] = [*self._ordered, *([None] if self._is_free else [])]
        return [Send(peer, SessionQuery(self._me, one)) for peer in peers for one in wanted]

    def _choose(self) -> list[Effect]:
        """Take up what was ordered and, if nothing runs here, the newest offer."""
        ordered = self._ordered if self._has_started else {}
        chosen = [offer for session, offer in self._offers.items() if session in ordered]
        if not chosen and self._is_free and self._offers:
            chosen = [next(reversed(self._offers.values()))]
        for offer in chosen:
            self._begin(offer.spec.id)
        return list(chosen)

    def _begin(self, session: SessionId) -> None:
        self._had.add(session)
        self._running.add(session)
        self._offers.pop(session, None)
        self._ordered.pop(session, None)


_HANDLERS: dict[type[Event], Callable[..., list[Effect]]] = {
    PeerConnected: SessionChoice._on_connected,
    PeerUnreachable: SessionChoice._on_unreachable,
    SessionOffer: SessionChoice._on_offer,
    SessionBegun: SessionChoice._on_begun,
    SessionOver: SessionChoice._on_over,
    JoinOrdered: SessionChoice._on_ordered,
    LeaveOrdered: SessionChoice._on_leave,
    TimerFired: SessionChoice._on_timer,
}
