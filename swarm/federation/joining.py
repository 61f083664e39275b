"""Joining: how a peer that was given no session finds the one that the swarm runs."""

from collections.abc import Callable

from swarm.core.effects import PeerConnected, PeerUnreachable, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.federation.messages import SessionOffer, SessionQuery

ASK = "joining.ask"
ASK_EVERY_S = 1.0
ASKED_MAX = 8
"""Most peers asked at a time."""


class Joining:
    """Asks connected peers for their session, until one answers.

    Invariant: once `offer` is set it does not change.
    """

    def __init__(self, me: PeerId) -> None:
        self._me = me
        self._connected: dict[PeerId, None] = {}
        self.offer: SessionOffer | None = None

    def start(self, now_s: float) -> list[Effect]:
        """Begin to ask."""
        return [SetTimer(ASK, now_s + ASK_EVERY_S)]

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine.Machine.handle`."""
        handler = _HANDLERS.get(type(event))
        return handler(self, event, now_s) if handler is not None and not self.offer else []

    def _on_connected(self, event: PeerConnected, _now_s: float) -> list[Effect]:
        self._connected[event.peer] = None
        return [Send(event.peer, SessionQuery(self._me))]

    def _on_unreachable(self, event: PeerUnreachable, _now_s: float) -> list[Effect]:
        self._connected.pop(event.peer, None)
        return []

    def _on_offer(self, event: SessionOffer, _now_s: float) -> list[Effect]:
        self.offer = event
        return []

    def _on_timer(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name != ASK:
            return []
        asked = list(self._connected)[:ASKED_MAX]
        for peer in asked:  # to the end: these may know of no session themselves
            del self._connected[peer]
            self._connected[peer] = None
        queries = [Send(peer, SessionQuery(self._me)) for peer in asked]
        return [*queries, SetTimer(ASK, now_s + ASK_EVERY_S)]


_HANDLERS: dict[type[Event], Callable[..., list[Effect]]] = {
    PeerConnected: Joining._on_connected,
    PeerUnreachable: Joining._on_unreachable,
    SessionOffer: Joining._on_offer,
    TimerFired: Joining._on_timer,
}
