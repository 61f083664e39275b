"""HostingSimulator: peers that take up sessions and obey commands, in a simulated world."""

from collections import defaultdict
from collections.abc import Callable

from swarm.commanding.commands import ALL_PEERS, RelayedCommands
from swarm.commanding.peer_commands import Obey, Resumed, SaveCommands
from swarm.core.ids import PeerId, SessionId
from swarm.core.machine import Effect
from swarm.core.session import SessionSpec
from swarm.federation.session_choice import SessionBegun, SessionOver, TakeUp
from swarm.simulation.hosting.faults import HostingFaults, session_of
from swarm.simulation.hosting.hostile import Inventor
from swarm.simulation.hosting.peers import Hosting, HostingPeer, Ready
from swarm.simulation.operators import Operators
from swarm.simulation.world import SimulatedWorld

BEGINS_AFTER_S = (0.1, 3.0)
"""Seconds until a session that was taken up has its worker process and its model."""
LAST_HEAD_AFTER_S = 1.0
"""A peer that takes up a session that is over has its last head after this many seconds."""
OVER_S = 400.0


class HostingSimulator(SimulatedWorld[HostingPeer]):
    """Runs for a fixed time. A session is over everywhere when its length has passed."""

    plan: HostingFaults

    def __init__(self, plan: HostingFaults, num_peers: int, seed: int) -> None:
        super().__init__(plan, num_peers, seed)
        self.check: Callable[[HostingPeer, list[Effect]], None] = lambda *_: None
        """Called after each event with the peer and the effects it asked for."""
        self.ends_s: dict[SessionId, float] = {}
        """When each session that was started is over; those that were invented never are."""
        self._finished: defaultdict[PeerId, set[SessionId]] = defaultdict(set)
        """What each peer's disk has of sessions that are over."""
        self.operators = Operators(ALL_PEERS, self.clock, self._command)
        for name in self.names:
            self.peers[name] = HostingPeer(name, self._machine(name))
        self._carriers |= {
            TakeUp: self._take_up,
            SaveCommands: self._save_commands,
            Obey: lambda peer, effect: None,
        }
        self._begin([0.0, *(self._random.uniform(0.1, 1.5) for _ in range(num_peers - 1))])
        self.operators.schedule(plan.commands)
        self.clock.at(OVER_S, self.clock.stop)

    def _machine(self, name: PeerId) -> Hosting:
        kind = Inventor if name == self.plan.hostile else Hosting
        finished, operators = self._finished[name], self.plan.operators
        return kind(name, finished, asks=name not in self.plan.idle, operators=operators)

    def _start(self, peer: HostingPeer) -> None:
        length_s = dict(self.plan.sessions).get(peer.name) if not peer.life else None
        self._revive(peer)
        self.links.start(peer.name)
        self._handle(peer, Resumed(peer.saved, self.now_s))
        if length_s is not None:
            self.progress += 1
            started = session_of(peer.name)
            self.ends_s[started.id] = self.now_s + length_s
            peer.folders[started.id] = started
        self.clock.after(self._random.uniform(*BEGINS_AFTER_S), self._resume, peer, peer.life)

    def _resume(self, peer: HostingPeer, life: int) -> None:
        """Begin what an earlier life left unfinished, and the newest session."""
        folders = [s for s in peer.folders.values() if s.id not in peer.machine.left]
        running = [spec for spec in folders if self.ends_s[spec.id] > self.now_s]
        for spec in dict.fromkeys([*running, *folders[-1:]]):
            self._begin_session(peer, life, spec)
        self._answer(peer, life, Ready())

    def _handled(self, peer: HostingPeer, effects: list[Effect]) -> None:
        self.check(peer, effects)
        self._schedule_due_faults()

    def _find_role(self, role: str) -> HostingPeer | None:
        return self.peers.get(PeerId(role))

    def _command(self, commands: RelayedCommands) -> None:
        """Let a peer that an operator is connected with hear commands."""
        peer = self._random.choice(list(self.live.values()))
        self.clock.after(0.0, self._answer, peer, peer.life, commands)

    def _take_up(self, peer: HostingPeer, effect: TakeUp) -> None:
        delay_s = self._random.uniform(*BEGINS_AFTER_S)
        self.clock.after(delay_s, self._begin_session, peer, peer.life, effect.spec)

    def _begin_session(self, peer: HostingPeer, life: int, spec: SessionSpec) -> None:
        if not peer.alive or peer.life != life:
            return
        end_s = self.ends_s.get(spec.id)
        if end_s is not None:  # an invented session has no head that could be saved
            peer.folders[spec.id] = peer.folders.pop(spec.id, spec)
            over_s = max(end_s, self.now_s + LAST_HEAD_AFTER_S)
            self.clock.at(over_s, self._answer, peer, life, SessionOver(spec.id))
        self._handle(peer, SessionBegun(spec))

    def _save_commands(self, peer: HostingPeer, effect: SaveCommands) -> None:
        peer.saved = effect.commands
