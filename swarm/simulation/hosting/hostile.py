"""Inventor: a peer that offers sessions which do not exist."""

from swarm.core.effects import PeerConnected, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.messages import SessionOffer
from swarm.federation.session_choice import ASK, OFFERS_MAX
from swarm.simulation.hosting.peers import Hosting


class Inventor(Hosting):
    """Does what others do, and sends each peer more offers than that peer remembers."""

    _met: frozenset[PeerId] = frozenset()
    _num_invented = 0

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event as others do; whenever it asks for sessions, invent some."""
        effects = super().handle(event, now_s)
        if isinstance(event, PeerConnected):
            self._met |= {event.peer}
        if event != TimerFired(ASK):
            return effects
        numbers = range(self._num_invented, self._num_invented + OFFERS_MAX + 1)
        self._num_invented = numbers.stop
        offers = [SessionOffer(self.me, SessionSpec(starter=self.me, seed=k)) for k in numbers]
        return effects + [Send(peer, offer) for peer in sorted(self._met) for offer in offers]
