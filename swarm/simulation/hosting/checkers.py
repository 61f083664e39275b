"""Checkers: what must hold after every event on simulated hosts."""

from collections import defaultdict

from swarm.commanding.commands import ALL_PEERS, COMMANDS_MAX, Command, RelayedCommands
from swarm.commanding.peer_commands import Obey
from swarm.core.effects import Publish, Send
from swarm.core.ids import Digest, PeerId, SessionId
from swarm.core.machine import Effect
from swarm.federation.session_choice import OFFERS_MAX, TakeUp
from swarm.simulation.checks import require
from swarm.simulation.hosting.peers import HostingPeer
from swarm.simulation.hosting.simulator import HostingSimulator

OBEYED_WITHIN_S = 20.0
"""Seconds after a command and the last fault by which each peer has obeyed it."""
NEWEST_WITHIN_S = 90.0
"""Seconds after the last fault and the end of older sessions by which peers are in the newest.

One message in eight may be lost, and a peer asks each of seven others again after 20 s.
"""


class HostingCheckers:
    """Watches hosts while they run."""

    def __init__(self, world: HostingSimulator) -> None:
        self.used: dict[str, int] = {}
        self._world = world
        self._had: defaultdict[tuple[PeerId, int], set[SessionId]] = defaultdict(set)
        """Sessions of each life of a peer."""
        self._obeyed: defaultdict[PeerId, dict[str, Command]] = defaultdict(dict)
        """The greatest command of each register, over all lives."""
        self._obeyed_now: defaultdict[tuple[PeerId, int], set[Digest]] = defaultdict(set)
        """Commands that each life of a peer obeyed."""
        self._began: set[tuple[PeerId, int]] = set()
        """Lives in which a session has begun: an idle peer looks for others from then on."""
        world.check = self.check

    def check(self, peer: HostingPeer, effects: list[Effect]) -> None:
        """Check a peer that has just handled an event.

        Raises:
            CheckError: A promise was broken.
        """
        if peer.name in self._world.astray:
            return
        for effect in effects:
            if isinstance(effect, Obey):
                self._check_obeyed(peer, effect.command)
            elif isinstance(effect, Publish | Send):
                self._check_relayed(peer, effect)
        self._check_taken_up(peer, [e.spec.id for e in effects if isinstance(e, TakeUp)])
        self._check_bounds(peer)
        self._check_due(peer)

    def check_end(self) -> None:
        """Check that each live peer has done what it had to do in time.

        Raises:
            CheckError: A promise was broken.
        """
        require(self._world.faults_over, "the faults are not over at the end")
        for peer in self._world.live.values():
            self._check_due(peer)

    def _check_obeyed(self, peer: HostingPeer, command: Command) -> None:
        what = f"{peer.name} obeys {command.action} {command.sequence} of {command.author}"
        require(command.author in self._world.plan.operators, f"{what}, a stranger")
        require(command.scope in (peer.name, ALL_PEERS), f"{what}, which is for {command.scope}")
        before = self._obeyed[peer.name].get(command.register)
        require(before is None or before.key <= command.key, f"{what} after a greater one")
        life = peer.name, peer.life
        require(command.digest not in self._obeyed_now[life], f"{what} twice in one life")
        self._obeyed_now[life].add(command.digest)
        self._obeyed[peer.name][command.register] = command
        if command.action == "join" and command.session is not None:
            self._had[life].discard(command.session)  # it may be taken up once more

    def _check_relayed(self, peer: HostingPeer, effect: Publish | Send) -> None:
        if isinstance(effect.message, RelayedCommands):
            for command in effect.message.commands:
                trusted = command.author in self._world.plan.operators
                require(trusted, f"{peer.name} passes on a command of {command.author}")

    def _check_taken_up(self, peer: HostingPeer, taken: list[SessionId]) -> None:
        had, active = self._had[peer.name, peer.life], peer.machine.active
        for session in taken:
            require(session not in had, f"{peer.name} takes up {session[:8]} again")
            alone = active <= {session}
            require(alone or self._wants(peer, session) == "join", f"{peer.name} takes up two")
        had |= active
        if peer.machine.kept:
            self._began.add((peer.name, peer.life))
        free = peer.machine.is_ready and not active and self._asks(peer)
        require(
            not (free and peer.machine.choice.num_offers),
            f"{peer.name} is free and does not take up what it was offered",
        )
        for session in (*taken, *peer.machine.kept):
            left = self._wants(peer, session) == "leave"
            require(not left, f"{peer.name} takes part in {session[:8]}, which it was to leave")

    def _check_bounds(self, peer: HostingPeer) -> None:
        machine = peer.machine
        for what, number, most in (
            ("offers", machine.choice.num_offers, OFFERS_MAX),
            ("commands", len(peer.saved), COMMANDS_MAX),
        ):
            require(number <= most, f"{peer.name} remembers {number} {what}")
            self.used[what] = max(self.used.get(what, 0), 100 * number // most)

    def _check_due(self, peer: HostingPeer) -> None:
        """Check what a peer must have done by now: it had time since the last fault."""
        world = self._world
        since_s = max(world.faults_over_s, peer.started_s)
        if world.now_s <= since_s + OBEYED_WITHIN_S:
            return
        for given_s, command in world.operators.given:
            named = command.scope in (peer.name, ALL_PEERS)
            trusted = command.author in world.plan.operators
            if named and trusted and world.now_s > given_s + OBEYED_WITHIN_S:
                greatest = self._obeyed[peer.name].get(command.register)
                obeyed = greatest is not None and greatest.key >= command.key
                require(obeyed, f"{peer.name} has not obeyed command {command.sequence}")
        newest = world.plan.newest.id
        older_s = max((s for i, s in world.ends_s.items() if i != newest), default=0.0)
        if world.now_s > max(since_s, older_s) + NEWEST_WITHIN_S and self._seeks(peer, newest):
            require(newest in peer.machine.active, f"{peer.name} is not in the newest session")

    def _seeks(self, peer: HostingPeer, session: SessionId) -> bool:
        """Whether a peer must end up in a session."""
        return self._asks(peer) or self._wants(peer, session) == "join"

    def _asks(self, peer: HostingPeer) -> bool:
        """Whether a peer looks for sessions by itself."""
        return peer.name not in self._world.plan.idle or (peer.name, peer.life) in self._began

    def _wants(self, peer: HostingPeer, session: SessionId) -> str:
        """What operators want of a peer's part in a session, as it knows."""
        command = self._obeyed[peer.name].get(f"session {session}")
        return command.action if command is not None else ""
