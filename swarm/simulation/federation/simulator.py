"""SessionSimulator: the peers of one federated session in a simulated world."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle

from swarm.commanding.commands import RelayedCommands
from swarm.core.blobs import BlobRef
from swarm.core.effects import KeepBlobs, Publish
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect
from swarm.core.session import SessionSpec
from swarm.federation.effects import (
    Combine,
    CreateWeights,
    Evaluate,
    GiveUp,
    LearnerReady,
    Leave,
    LeaveRequested,
    Note,
    SaveCommands,
    SaveContribution,
    SaveHead,
    SaveLedger,
    Started,
    Train,
    brings,
)
from swarm.federation.federation import Federation
from swarm.federation.ledger_entries import Introduction
from swarm.federation.messages import Contribution
from swarm.simulation.federation.faults import SessionFaults
from swarm.simulation.federation.hostile import Hostile
from swarm.simulation.federation.peers import Census, SessionPeer
from swarm.simulation.federation.roles import find_role
from swarm.simulation.federation.simulated_learning import READY_AFTER_S, SimulatedLearner
from swarm.simulation.operators import Operators
from swarm.simulation.world import SimulatedWorld

CONTACTS_OFFERING_MAX = 3
"""Most peers that offer the session to a newcomer."""


class SessionSimulator(SimulatedWorld[SessionPeer]):
    """Runs a session until all live peers have measured its last head."""

    plan: SessionFaults

    def __init__(
        self,
        spec: SessionSpec,
        num_peers: int,
        plan: SessionFaults,
        seed: int,
        size_bytes: int = 10**6,
        learner: type[SimulatedLearner] = SimulatedLearner,
    ) -> None:
        super().__init__(plan, num_peers, seed)
        self.check: Callable[[SessionPeer], None] = lambda _: None
        """Called with each peer that started, died, adopted or measured a head.

        No other event changes what a checker looks at. Set it before `run`.
        """
        self.census = Census()
        self.announced: defaultdict[tuple[PeerId, Digest], set[Digest]] = defaultdict(set)
        """Blobs of the contributions announced per (peer, base)."""
        self._pending = [fault for fault in self._pending if fault.progress <= spec.rounds]
        self._misled = self.names[-1] if plan.misled else None
        self.starter = self.names[0]
        self.spec = replace(spec, starter=self.starter)
        self.learner = learner(plan, self.clock, self._random, size_bytes, self._answer)
        self.learner.slowest = self.slowest
        self._sites = dict(zip(self.names, cycle(plan.sites), strict=False))
        for index, name in enumerate(self.names):
            self.peers[name] = self._peer(index, name)
        self.operators = Operators(self.spec.id, self.clock, self._publish_commands)
        self._carriers |= {
            Publish: self._publish,
            SaveHead: self._save_head,
            SaveContribution: self._save_contribution,
            SaveLedger: self._save_ledger,
            SaveCommands: self._save_commands,
            Leave: self._leave,
            GiveUp: self._leave,
            Note: self._note,
            CreateWeights: self.learner.create,
            Train: self.learner.train,
            Evaluate: self.learner.evaluate,
            Combine: self.learner.combine,
        }
        self.operators.schedule(plan.commands)
        self._begin([self._random.uniform(0, 1) for _ in range(num_peers)])

    @property
    def astray(self) -> tuple[PeerId | None, ...]:
        """The peer that lies, and the one that believed it: no promise covers what they hold."""
        return self.plan.hostile, self._misled

    def introduction(self, name: PeerId) -> Introduction:
        """What a peer says it is called, and where it is."""
        return Introduction(name, self.site_of(name))

    def site_of(self, name: PeerId) -> str:
        """The site that a peer was started with; empty for none."""
        return self._sites.get(name, "")

    # -- lives of peers

    def _peer(self, index: int, name: PeerId) -> SessionPeer:
        plan = self.plan
        return SessionPeer(
            name,
            self._machine(name),
            clock_offset_s=plan.clock_offset_s_max * self._random.random(),
            clock_rate=1 + plan.clock_rate_error_max * self._random.uniform(-1, 1),
            index=index,
        )

    def _machine(self, name: PeerId) -> Federation:
        def sign(digest: Digest) -> bytes:
            return f"{name} signs {digest}".encode()

        if name != self.plan.hostile:
            introduction = self.introduction(name)
            return Federation(
                name, self.spec, sign, self.plan.operators, introduction=introduction
            )
        liar = Hostile(name, self.spec, sign, self._random, self._keep_forged, self._misled)
        liar.invents_branches = self.plan.invents_branches
        return liar

    def _keep_forged(self, name: PeerId, base: Digest, vector: tuple[float, ...]) -> BlobRef:
        blob = self.learner.keep(self.peers[name], vector)
        self.learner.trained[name, base][blob.digest] = vector
        return blob

    def _start(self, peer: SessionPeer) -> None:
        self._revive(peer)
        heads = peer.resumable
        mine = peer.contribution if heads else None
        kept = mine if mine is not None and mine.blob.digest in peer.store else None
        self._note_change(peer)
        started = Started(
            heads,
            kept,
            self._offering(peer),
            peer.entries,
            peer.commands,
            unix_s=peer.own_s(self.now_s) - peer.clock_offset_s,
        )
        self._handle(peer, started)
        self.links.start(peer.name)
        self.clock.after(READY_AFTER_S, self._answer, peer, peer.life, LearnerReady())

    def _offering(self, peer: SessionPeer) -> tuple[PeerId, ...]:
        met = self.links.strangers(peer.name)
        if peer.name == self._misled and self.plan.hostile is not None:
            return (self.plan.hostile,)
        # A joiner believes the peers that offer it the session; it has no defence if they lie.
        others = [
            other
            for other in met
            if not self.links.parted(peer.name, other) and other not in self.astray
        ]
        if others:
            return tuple(others[:CONTACTS_OFFERING_MAX])
        return (self.starter,) if peer.name != self.starter else ()

    def _crash(self, peer: SessionPeer, restart_after_s: float | None = None) -> None:
        super()._crash(peer, restart_after_s)
        self._note_change(peer)

    def _handled(self, peer: SessionPeer, _effects: list[Effect]) -> None:
        head, metrics = peer.counted
        if peer.machine.held is not head or peer.machine.final_metrics is not metrics:
            self._note_change(peer)

    def _note_change(self, peer: SessionPeer) -> None:
        """Count and check a peer that started, died, adopted a head or measured one."""
        peer.counted = peer.machine.held, peer.machine.final_metrics
        if peer.name not in self.astray:
            self.census.count(peer)
        if self.census.greatest is not None:
            self.progress = self.census.greatest.round
        self.check(peer)
        # Initial weights that only the starter has would die with it.
        if self._pending and self.census.num_holding >= 2:
            self._schedule_due_faults()
        self._stop_if_done()

    def _find_role(self, role: str) -> SessionPeer | None:
        head = self.census.greatest
        name = find_role(role, head, self.spec) if head is not None else None
        return self.peers.get(name) if name is not None else None

    def _note_faults_over(self) -> None:
        super()._note_faults_over()
        self._stop_if_done()

    def _stop_if_done(self) -> None:
        if self.faults_over and self.census.settled:
            self.clock.stop()

    # -- effects

    def _publish_commands(self, commands: RelayedCommands) -> None:
        for peer in self.live.values():
            self.delivery.transmit(peer, commands)

    def _publish(self, peer: SessionPeer, effect: Publish) -> None:
        message = effect.message
        if isinstance(message, Contribution):
            self.announced[peer.name, message.base].add(message.blob.digest)
        self.delivery.publish(peer, effect)

    def _keep_blobs(self, peer: SessionPeer, effect: KeepBlobs) -> None:
        unheard = {blob for event in peer.inbox if (blob := brings(event)) is not None}
        super()._keep_blobs(peer, KeepBlobs(effect.blobs | unheard))

    def _save_head(self, peer: SessionPeer, effect: SaveHead) -> None:
        if effect.head not in peer.heads:
            peer.heads.append(effect.head)

    def _save_contribution(self, peer: SessionPeer, effect: SaveContribution) -> None:
        peer.contribution = effect.contribution

    def _save_ledger(self, peer: SessionPeer, effect: SaveLedger) -> None:
        peer.entries = effect.entries

    def _save_commands(self, peer: SessionPeer, effect: SaveCommands) -> None:
        peer.commands = effect.commands

    def _leave(self, peer: SessionPeer, effect: Leave | GiveUp) -> None:
        reason = "training" if isinstance(effect, GiveUp) else ""
        self.clock.after(0.0, self._end_by_itself, peer, peer.life, reason)

    def _end_by_itself(self, peer: SessionPeer, life: int, reason: str) -> None:
        if peer.alive and peer.life == life:
            self._handle(peer, LeaveRequested(reason))
            self._crash(peer)

    def _note(self, peer: SessionPeer, effect: Note) -> None:
        peer.notes.append((self.now_s, effect))
