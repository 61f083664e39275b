"""SimulatedWorld: many machines, one seed, one ordered history on virtual time.

The world does what the driver of a real peer does, for all peers at once. It hands each event to
a peer's machine, and carries out the effects that the machine returns. Core effects (timers,
messages, connections, blobs) are carried out here; a workload adds carriers for its own. Their
results come back later as events, when the clock gets there.

All randomness comes from one generator, in the order of the history. So the same seed gives the
same history, and a new random number anywhere changes all that follow it.

Faults of a plan strike once the workload's progress has reached theirs. A history is at rest when
no fault is left and no peer is still to restart or to go on.
"""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from swarm.core.effects import (
    FetchBlob,
    KeepBlobs,
    KeepConnected,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, Machine, SetTimer, TimerFired
from swarm.simulation.clock import Clock
from swarm.simulation.delivery import Delivery
from swarm.simulation.faults import Crash, FaultPlan, Freeze
from swarm.simulation.history import HistoryEntry
from swarm.simulation.links import Links
from swarm.simulation.peers import SimulatedPeer, peer_names
from swarm.simulation.transfers import Transfers

P = TypeVar("P", bound=SimulatedPeer)


class SimulatedWorld(ABC, Generic[P]):
    """Peers of one workload. The same arguments give the same history.

    A subclass fills `peers`, adds its carriers, and then calls `_begin`.
    """

    def __init__(self, plan: FaultPlan, num_peers: int, seed: int) -> None:
        self.clock = Clock()
        self.plan = plan
        self.record: Callable[[HistoryEntry], None] | None = None
        """Gets every event; set it before `run`."""
        self.faults_over_s = math.inf
        """When the last fault ended; infinite until then."""
        self.progress = 0
        """How far the workload is, in rounds or results; the subclass updates it."""
        self.names = peer_names(num_peers + len(plan.join_at_s))
        """All peers, latecomers last."""
        self.slowest = self.names[num_peers - 1]
        """The peer that is behind a slow link or slow itself, if the plan has one."""
        self.peers: dict[PeerId, P] = {}
        self.stood_still: set[PeerId] = set()
        """Peers that were frozen or dead at some time."""
        self._random = random.Random(seed)  # noqa: S311 (reproducible on purpose)
        self._pending: list[Crash | Freeze] = [*plan.crashes, *plan.freezes]
        self._num_scheduled = 0
        """Faults, restarts and thaws that are still to come."""
        parts = plan, self.clock, self._random
        self.links = Links(*parts, self.peers, self._notify)
        self.delivery = Delivery(*parts, self.links, self.peers, self._handle)
        self.transfers = Transfers(*parts, self.links, self.peers, self._answer, self.slowest)
        self._carriers: dict[type[Effect], Callable[[P, Any], None]] = {
            SetTimer: self._set_timer,
            Publish: self.delivery.publish,
            Send: self.delivery.send,
            Subscribe: self.delivery.subscribe,
            Unsubscribe: self.delivery.unsubscribe,
            KeepConnected: self._keep_connected,
            FetchBlob: self.transfers.fetch,
            KeepBlobs: self._keep_blobs,
        }

    @abstractmethod
    def _machine(self, name: PeerId) -> Machine:
        """Make the machine of a peer that starts."""

    @abstractmethod
    def _start(self, peer: P) -> None:
        """Start a peer's process, or start it again."""

    @abstractmethod
    def _handled(self, peer: P, effects: list[Effect]) -> None:
        """Look at a peer after each event."""

    @abstractmethod
    def _find_role(self, role: str) -> P | None:
        """The peer that a fault strikes."""

    def run(self, until_s: float) -> None:
        """Run until the history is over, or until `until_s`."""
        self.clock.run(until_s)

    @property
    def now_s(self) -> float:
        """Virtual time."""
        return self.clock.now_s

    @property
    def astray(self) -> tuple[PeerId | None, ...]:
        """Peers that no promise covers: those that lie."""
        return (self.plan.hostile,)

    @property
    def live(self) -> dict[PeerId, P]:
        """Running peers that are not astray."""
        astray = self.astray
        return {n: p for n, p in self.peers.items() if p.alive and n not in astray}

    @property
    def faults_over(self) -> bool:
        """Whether every latecomer has started, and no fault is left."""
        return self.faults_over_s < math.inf

    # -- lives of peers

    def _begin(self, starts_s: Iterable[float]) -> None:
        """Schedule all starts; `starts_s` are those of the first peers."""
        for name, start_s in zip(self.names, (*starts_s, *self.plan.join_at_s), strict=True):
            self.clock.at(start_s, self._start, self.peers[name])
        for stall in self.plan.stalls:
            self.clock.at(stall.at_s, self._stall, self.peers[stall.peer], stall.length_s)
        self.clock.at(self.plan.until_s, self._note_faults_over)

    def _revive(self, peer: P) -> None:
        """Begin a peer's next life, with a new machine."""
        if peer.life:
            peer.machine = self._machine(peer.name)
        peer.alive = True
        peer.life += 1
        peer.started_s = self.now_s

    def _crash(self, peer: P, restart_after_s: float | None = None) -> None:
        """End a peer without a word; others notice the closed connection."""
        self.stood_still.add(peer.name)
        self.delivery.forget(peer)
        peer.end_life()
        self.links.end(peer.name)
        if restart_after_s is not None:
            self._num_scheduled += 1
            self.clock.after(restart_after_s, self._restart, peer)

    def _restart(self, peer: P) -> None:
        self._num_scheduled -= 1
        if not peer.alive:
            self._start(peer)
        self._note_faults_over()

    def _freeze(self, peer: P, length_s: float) -> None:
        """Stop a peer for a while, as SIGSTOP does."""
        self.links.freeze(peer.name)
        self._stop(peer, length_s)

    def _stop(self, peer: P, length_s: float) -> None:
        peer.frozen = True
        self.stood_still.add(peer.name)
        self._num_scheduled += 1
        self.clock.after(length_s, self._thaw, peer, peer.life)

    def _stall(self, peer: P, length_s: float) -> None:
        if peer.alive and not peer.frozen:
            self._stop(peer, length_s)

    def _thaw(self, peer: P, life: int) -> None:
        self._num_scheduled -= 1
        if peer.alive and peer.life == life:
            peer.frozen = False
            self.links.thaw(peer.name)
            while peer.inbox:
                self._handle(peer, peer.inbox.pop(0))
        self._note_faults_over()

    # -- faults

    def _schedule_due_faults(self) -> None:
        """Schedule the faults whose progress is reached."""
        for fault in list(self._pending):
            if self.progress >= fault.progress:
                self._pending.remove(fault)
                self._num_scheduled += 1
                self.clock.after(fault.delay_s, self._strike, fault)

    def _strike(self, fault: Crash | Freeze) -> None:
        self._num_scheduled -= 1
        peer = self._find_role(fault.role)
        if peer is not None and peer.alive and not peer.frozen:
            if isinstance(fault, Crash):
                self._crash(peer, fault.restart_after_s)
            else:
                self._freeze(peer, fault.length_s)
        self._note_faults_over()

    def _note_faults_over(self) -> None:
        if self.now_s >= self.plan.until_s and not self._pending and not self._num_scheduled:
            self.faults_over_s = min(self.faults_over_s, self.now_s)

    # -- events and effects

    def _handle(self, peer: P, event: Event) -> None:
        if peer.frozen:
            peer.inbox.append(event)
            return
        now_s = self.clock.now_s
        effects = peer.machine.handle(event, peer.own_s(now_s))
        for effect in effects:
            self._carriers[type(effect)](peer, effect)
        if self.record is not None:
            self.record(HistoryEntry(now_s, peer.name, event, effects))
        self._handled(peer, effects)

    def _answer(self, peer: P, life: int, event: Event) -> None:
        """Hand over what a peer asked for in this life, unless that life is over."""
        if peer.alive and peer.life == life:
            self._handle(peer, event)

    def _notify(self, name: PeerId, event: Event) -> None:
        peer = self.peers[name]
        if peer.alive:
            self._handle(peer, event)

    def _set_timer(self, peer: P, effect: SetTimer) -> None:
        serial = peer.timers.get(effect.name, 0) + 1
        peer.timers[effect.name] = serial
        due_s = peer.world_s(effect.due_s)
        self.clock.at(due_s, self._fire, peer, peer.life, effect.name, serial)

    def _fire(self, peer: P, life: int, timer: str, serial: int) -> None:
        if peer.alive and peer.life == life and peer.timers.get(timer) == serial:
            self._handle(peer, TimerFired(timer))

    def _keep_connected(self, peer: P, effect: KeepConnected) -> None:
        peer.contacts.update(effect.peers)
        self.links.keep(peer.name, effect.peers)

    def _keep_blobs(self, peer: P, effect: KeepBlobs) -> None:
        peer.store &= {blob.digest for blob in effect.blobs}
