"""Simulator: many Federation machines, one seed, one ordered history on virtual time."""

import math
import random
from collections.abc import Callable
from itertools import cycle
from typing import Any

from swarm.commanding.commands import RelayedCommands
from swarm.core.blobs import BlobRef
from swarm.core.effects import (
    FetchBlob,
    KeepBlobs,
    KeepConnected,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
)
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation.effects import (
    Combine,
    CreateWeights,
    Evaluate,
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
from swarm.federation.records import GlobalModel
from swarm.simulation.clock import Clock
from swarm.simulation.faults import Crash, FaultPlan, Freeze
from swarm.simulation.federation.delivery import Delivery
from swarm.simulation.federation.hostile import Hostile
from swarm.simulation.federation.operators import Operators
from swarm.simulation.federation.peers import Census, SimulatedPeer
from swarm.simulation.federation.roles import find_role
from swarm.simulation.federation.simulated_learning import READY_AFTER_S, SimulatedLearner
from swarm.simulation.history import HistoryEntry
from swarm.simulation.links import Links
from swarm.simulation.transfers import Transfers

CONTACTS_OFFERING_MAX = 3
"""Most peers that offered the session to a newcomer."""


class Simulator:
    """Runs a swarm; the same spec, plan and seed give the same history."""

    def __init__(
        self,
        spec: SessionSpec,
        num_peers: int,
        plan: FaultPlan,
        seed: int,
        size_bytes: int = 10**6,
        learner: type[SimulatedLearner] = SimulatedLearner,
    ) -> None:
        self.clock = Clock()
        self.plan = plan
        self.record: Callable[[HistoryEntry], None] | None = None
        """Is given every event; set it before `run`."""
        self.faults_over_s = math.inf
        """When the last fault ended; infinite until then."""
        self.census = Census()
        self._random = random.Random(seed)  # noqa: S311 (reproducible on purpose)
        self._num_fated = 0
        faults: list[Crash | Freeze] = [*plan.crashes, *plan.freezes]
        self._pending = [fault for fault in faults if fault.round <= spec.rounds]
        self._check: Callable[[SimulatedPeer], None] = lambda _: None
        misled_s = () if plan.misled_at_s is None else (plan.misled_at_s,)
        names = peer_names(num_peers + len(plan.join_at_s) + len(misled_s))
        self._misled = names[-1] if misled_s else None
        self.starter = names[0]
        fields = {name: getattr(spec, name) for name in spec.__dataclass_fields__}
        self.spec = SessionSpec(**{**fields, "starter": self.starter})
        self.learner = learner(plan, self.clock, self._random, size_bytes, self._answer)
        self.learner.slowest = names[num_peers - 1]
        self._sites = dict(zip(names, cycle(plan.sites), strict=False))
        self.peers = {name: self._peer(index, name) for index, name in enumerate(names)}
        self.links = Links(plan, self.clock, self._random, self.peers, self._tell)
        self.delivery = Delivery(
            plan, self.clock, self._random, self.links, self.peers, self._handle
        )
        self.operators = Operators(self.spec.id, self.clock, self._publish_commands)
        self.transfers = Transfers(
            self.clock,
            self._random,
            self.links,
            self.peers,
            self._answer,
            plan,
            self.learner.slowest,
        )
        starts_s = [self._random.uniform(0, 1) for _ in range(num_peers)]
        for name, start_s in zip(names, (*starts_s, *plan.join_at_s, *misled_s), strict=True):
            self.clock.at(start_s, self._start, self.peers[name])
        self.operators.begin(plan.orders)
        self.clock.at(plan.until_s, self._note_faults_over)

    def run(self, until_s: float, check: Callable[[SimulatedPeer], None] = lambda _: None) -> None:
        """Run until `until_s` or the end.

        Args:
            until_s: When to give up.
            check: Called with each peer that started, died, adopted or measured a head, after the
                event that made it do so. No other event changes what a checker looks at.
        """
        self._check = check
        self.clock.run(until_s)

    @property
    def now_s(self) -> float:
        """Virtual time."""
        return self.clock.now_s

    @property
    def live(self) -> dict[PeerId, SimulatedPeer]:
        """Honest peers that are running, and not misled."""
        return {n: p for n, p in self.peers.items() if p.alive and n not in self.astray}

    @property
    def astray(self) -> tuple[PeerId | None, PeerId | None]:
        """Who lies, and who believed the liar: what these two hold is nobody else's concern."""
        return self.plan.hostile, self._misled

    @property
    def faults_over(self) -> bool:
        """Whether everybody has come who will, and nothing else goes wrong."""
        return self.faults_over_s < math.inf

    def introduction(self, name: PeerId) -> Introduction:
        """What a peer says it is called, and where it is."""
        return Introduction(name, self.site_of(name))

    def site_of(self, name: PeerId) -> str:
        """What a peer was started with as its site; empty for none."""
        return self._sites.get(name, "")

    # -- faults

    def crash(self, name: PeerId, restart_after_s: float | None = None) -> None:
        """End a peer without a word; others notice the closed connection."""
        peer = self.peers[name]
        self.delivery.forget(peer)
        peer.end_life()
        self.links.end(name)
        self._turn(peer)
        if restart_after_s is not None:
            self._num_fated += 1
            self.clock.after(restart_after_s, self._restart, peer)

    def freeze(self, name: PeerId, length_s: float) -> None:
        """Stop a peer as SIGSTOP does, for a while."""
        peer = self.peers[name]
        peer.frozen = True
        self.links.freeze(name)
        self._num_fated += 1
        self.clock.after(length_s, self._thaw, peer, peer.life)

    def _thaw(self, peer: SimulatedPeer, life: int) -> None:
        self._num_fated -= 1
        self._note_faults_over()
        if not peer.alive or peer.life != life:
            return
        peer.frozen = False
        self.links.thaw(peer.name)
        while peer.inbox and not peer.frozen:
            self._handle(peer, peer.inbox.pop(0))

    def _restart(self, peer: SimulatedPeer) -> None:
        self._num_fated -= 1
        self._start(peer)
        self._note_faults_over()

    def _trigger(self, newest: GlobalModel) -> None:
        # Initial weights that only the starter has die with it; nobody could go on.
        if self.census.num_holding < 2:
            return
        for fault in list(self._pending):
            if newest.round >= fault.round:
                self._pending.remove(fault)
                self._num_fated += 1
                self.clock.after(fault.delay_s, self._strike, fault)

    def _strike(self, fault: Crash | Freeze) -> None:
        self._num_fated -= 1
        head = self.census.greatest
        name = find_role(fault.role, head, self.spec) if head is not None else None
        peer = self.peers.get(name) if name is not None else None
        if peer is not None and peer.alive and not peer.frozen:
            if isinstance(fault, Crash):
                self.crash(peer.name, fault.restart_after_s)
            else:
                self.freeze(peer.name, fault.length_s)
        self._note_faults_over()

    def _note_faults_over(self) -> None:
        fixed = self.now_s >= self.plan.until_s
        if fixed and not self._pending and not self._num_fated:
            self.faults_over_s = min(self.faults_over_s, self.now_s)
            self._end_if_done()

    # -- lives of peers

    def _peer(self, index: int, name: PeerId) -> SimulatedPeer:
        plan = self.plan
        return SimulatedPeer(
            name,
            index,
            self._machine(name),
            clock_offset_s=plan.clock_offset_s_max * self._random.random(),
            clock_rate=1 + plan.clock_rate_error_max * self._random.uniform(-1, 1),
        )

    def _machine(self, name: PeerId) -> Federation:
        def sign(digest: Digest) -> bytes:
            return f"{name} signs {digest}".encode()

        if name != self.plan.hostile:
            told = self.introduction(name)
            return Federation(name, self.spec, sign, self.plan.operators, introduction=told)
        liar = Hostile(name, self.spec, sign, self._random, self._keep_forged, self._misled)
        liar.invents_branches = self.plan.invents_branches
        return liar

    def _keep_forged(self, name: PeerId, base: Digest, vector: tuple[float, ...]) -> BlobRef:
        blob = self.learner.keep(self.peers[name], vector)
        self.learner.trained[name, base][blob.digest] = vector
        return blob

    def _start(self, peer: SimulatedPeer) -> None:
        if peer.alive:
            return
        name = peer.name
        if peer.life:
            peer.machine = self._machine(name)
        peer.alive = True
        peer.life += 1
        peer.started_s = self.now_s
        heads = peer.resumable
        mine = peer.contribution if heads else None
        kept = mine if mine is not None and mine.blob.digest in peer.store else None
        self._turn(peer)
        started = Started(
            heads,
            kept,
            self._offering(peer),
            peer.entries,
            peer.commands,
            unix_s=peer.own_s(self.now_s) - peer.clock_offset_s,
        )
        self._handle(peer, started)
        self.links.start(name)
        self.clock.after(READY_AFTER_S, self._answer, peer, peer.life, LearnerReady())

    def _offering(self, peer: SimulatedPeer) -> tuple[PeerId, ...]:
        met = self.links.strangers(peer.name)
        if peer.name == self._misled and self.plan.hostile is not None:
            return (self.plan.hostile,)
        # Whom a joiner is told to contact it believes: who is given a liar has no defence.
        others = [
            other
            for other in met
            if not self.links.parted(peer.name, other) and other not in self.astray
        ]
        if others:
            return tuple(others[:CONTACTS_OFFERING_MAX])
        return (self.starter,) if peer.name != self.starter else ()

    def _handle(self, peer: SimulatedPeer, event: Event) -> None:
        if peer.frozen:
            peer.inbox.append(event)
            return
        machine = peer.machine
        before, measured = machine.held, machine.final_metrics
        effects = machine.handle(event, peer.own_s(self.clock.now_s))
        for effect in effects:
            _CARRIERS[type(effect)](self, peer, effect)
        if self.record is not None:
            self.record(HistoryEntry(self.clock.now_s, peer.name, event, effects))
        if machine.held is not before or machine.final_metrics is not measured:
            self._turn(peer)

    def _turn(self, peer: SimulatedPeer) -> None:
        """A peer started, died, adopted a head or measured one."""
        if peer.name not in self.astray:
            self.census.count(peer)
        self._check(peer)
        if self._pending and self.census.greatest is not None:
            self._trigger(self.census.greatest)
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self.faults_over and self.census.settled:
            self.clock.stop()

    def _answer(self, peer: SimulatedPeer, life: int, event: Event) -> None:
        if peer.alive and peer.life == life:
            self._handle(peer, event)

    def _tell(self, name: PeerId, event: Event) -> None:
        peer = self.peers[name]
        if peer.alive:
            self._handle(peer, event)

    # -- effects

    def _publish_commands(self, orders: RelayedCommands) -> None:
        for peer in self.live.values():
            self.delivery.transmit(peer, orders, None)

    def _set_timer(self, peer: SimulatedPeer, effect: SetTimer) -> None:
        serial = peer.timers.get(effect.name, 0) + 1
        peer.timers[effect.name] = serial
        due_s = peer.world_s(effect.due_s)
        self.clock.at(due_s, self._fire, peer, peer.life, effect.name, serial)

    def _fire(self, peer: SimulatedPeer, life: int, timer: str, serial: int) -> None:
        if peer.alive and peer.life == life and peer.timers.get(timer) == serial:
            self._handle(peer, TimerFired(timer))

    def _fetch(self, peer: SimulatedPeer, effect: FetchBlob) -> None:
        self.transfers.fetch(peer, effect)

    def _keep_blobs(self, peer: SimulatedPeer, effect: KeepBlobs) -> None:
        unheard = {blob for event in peer.inbox if (blob := brings(event)) is not None}
        peer.store &= {blob.digest for blob in effect.blobs | unheard}

    def _keep_connected(self, peer: SimulatedPeer, effect: KeepConnected) -> None:
        peer.contacts.update(effect.peers)
        self.links.keep(peer.name, effect.peers)

    def _save_head(self, peer: SimulatedPeer, effect: SaveHead) -> None:
        if effect.head not in peer.heads:
            peer.heads.append(effect.head)

    def _save_contribution(self, peer: SimulatedPeer, effect: SaveContribution) -> None:
        peer.contribution = effect.contribution

    def _save_ledger(self, peer: SimulatedPeer, effect: SaveLedger) -> None:
        peer.entries = effect.entries

    def _save_commands(self, peer: SimulatedPeer, effect: SaveCommands) -> None:
        peer.commands = effect.commands

    def _leave(self, peer: SimulatedPeer, _effect: Leave) -> None:
        self.clock.after(0.0, self._end_by_itself, peer, peer.life)

    def _end_by_itself(self, peer: SimulatedPeer, life: int) -> None:
        if peer.alive and peer.life == life:
            self._handle(peer, LeaveRequested())
            self.crash(peer.name)

    def _note(self, peer: SimulatedPeer, effect: Note) -> None:
        peer.notes.append((self.clock.now_s, effect))


_CARRIERS: dict[type[Effect], Callable[[Simulator, SimulatedPeer, Any], None]] = {
    SetTimer: Simulator._set_timer,
    Publish: lambda simulator, peer, effect: simulator.delivery.publish(peer, effect),
    Send: lambda simulator, peer, effect: simulator.delivery.send(peer, effect),
    Subscribe: lambda simulator, peer, effect: simulator.delivery.subscribe(peer, effect),
    Unsubscribe: lambda simulator, peer, effect: simulator.delivery.unsubscribe(peer, effect),
    FetchBlob: Simulator._fetch,
    KeepBlobs: Simulator._keep_blobs,
    KeepConnected: Simulator._keep_connected,
    SaveHead: Simulator._save_head,
    SaveContribution: Simulator._save_contribution,
    SaveLedger: Simulator._save_ledger,
    SaveCommands: Simulator._save_commands,
    Leave: Simulator._leave,
    Note: Simulator._note,
    CreateWeights: lambda simulator, peer, effect: simulator.learner.create(peer, effect),
    Train: lambda simulator, peer, effect: simulator.learner.train(peer, effect),
    Evaluate: lambda simulator, peer, effect: simulator.learner.evaluate(peer, effect),
    Combine: lambda simulator, peer, effect: simulator.learner.combine(peer, effect),
}


def peer_names(num_peers: int) -> tuple[PeerId, ...]:
    """Names of simulated peers, the starter's first; their order is that of their numbers."""
    width = max(2, len(str(num_peers - 1)))
    return tuple(PeerId(f"peer-{k:0{width}}") for k in range(num_peers))
