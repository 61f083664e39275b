"""Peers of a simulated host: both machines of each one, and what survives a crash of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from swarm.commanding.commands import Command
from swarm.commanding.peer_commands import Obey, PeerCommands
from swarm.core.effects import Send
from swarm.core.ids import PeerId, SessionId
from swarm.core.machine import Effect, Event
from swarm.core.session import SessionSpec
from swarm.federation.messages import SessionOffer, SessionQuery
from swarm.federation.session_choice import (
    JoinOrdered,
    LeaveOrdered,
    SessionBegun,
    SessionChoice,
    SessionOver,
    TakeUp,
)
from swarm.simulation.peers import SimulatedPeer


@dataclass(frozen=True, slots=True)
class Ready(Event):
    """What was to be resumed or started has begun."""


class Hosting:
    """Both machines, joined as `swarm.peer` joins them; a session here is only its spec."""

    def __init__(
        self, me: PeerId, finished: set[SessionId], *, asks: bool, operators: Iterable[PeerId]
    ) -> None:
        self.me = me
        self.choice = SessionChoice(me, asks=asks)
        self.commands = PeerCommands(me, operators)
        self.kept: dict[SessionId, SessionSpec] = {}
        """Sessions that this peer offers, the newest last."""
        self.active: set[SessionId] = set()
        """Sessions that were taken up, begun or resumed, and are not over."""
        self.left: set[SessionId] = set()
        """By command."""
        self.is_ready = False
        self._finished = finished

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine.Machine.handle`."""
        match event:
            case SessionQuery(sender, wanted):
                asked = self.kept.get(wanted or next(reversed(self.kept), SessionId("")))
                return [Send(sender, SessionOffer(self.me, asked))] if asked is not None else []
            case SessionBegun(spec) if spec.id in self.left:
                event = SessionOver(spec.id)
                self.active.discard(spec.id)
            case SessionBegun(spec):
                self.kept[spec.id] = spec
                self.active.add(spec.id)
            case SessionOver(session):
                self.active.discard(session)
                self._finished.add(session)
        effects = [*self.commands.handle(event, now_s), *self.choice.handle(event, now_s)]
        for effect in tuple(effects):
            if isinstance(effect, Obey):
                effects += self._obey(effect.command, now_s)
        if isinstance(event, Ready):
            self.is_ready = True
            effects += self.choice.start(now_s)
        self.active |= {effect.spec.id for effect in effects if isinstance(effect, TakeUp)}
        return effects

    def _obey(self, command: Command, now_s: float) -> list[Effect]:
        session = command.session or SessionId("")
        if command.action == "join":
            self.left.discard(session)
            if session in self.kept or session in self._finished:
                return []
            return self.choice.handle(JoinOrdered(session), now_s)
        self.left.add(session)
        effects = self.choice.handle(LeaveOrdered(session), now_s)
        if self.kept.pop(session, None) is not None:
            self.active.discard(session)
            effects += self.choice.handle(SessionOver(session), now_s)
        return effects


@dataclass(slots=True, eq=False)
class HostingPeer(SimulatedPeer):
    """One peer: its machines, and its disk."""

    machine: Hosting
    saved: tuple[Command, ...] = ()
    folders: dict[SessionId, SessionSpec] = field(default_factory=dict)
    """Sessions that began here in any life, the newest last."""
