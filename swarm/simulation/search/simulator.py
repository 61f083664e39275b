"""StudySimulator: many Search machines, one seed, one ordered history on virtual time."""

import math
import random
from collections.abc import Callable
from typing import Any

from swarm.core.blobs import BlobRef
from swarm.core.effects import (
    BlobArrived,
    FetchBlob,
    KeepBlobs,
    KeepConnected,
    Publish,
    Send,
    Subscribe,
    Unsubscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.search.effects import (
    CancelRequested,
    DropTrial,
    Note,
    PruneTrial,
    RunTrial,
    SaveEntries,
    SaveTerm,
    Started,
)
from swarm.search.search import Search
from swarm.search.study import StudySpec
from swarm.search.succession import succession
from swarm.search.trial import Trial
from swarm.simulation.clock import Clock
from swarm.simulation.faults import FaultPlan
from swarm.simulation.federation.simulator import peer_names
from swarm.simulation.history import HistoryEntry
from swarm.simulation.links import Links
from swarm.simulation.search.execution import Execution
from swarm.simulation.search.faults import COORDINATOR, STANDBY, WORKER, Blow, StudyFaults
from swarm.simulation.search.hostile import Liar
from swarm.simulation.search.peers import StudyPeer
from swarm.simulation.transfers import Transfers

DATA_BYTES = 50_000
TRANSFER_S = 0.05
DATA_TRANSFER_S = 1.0
"""Data is often larger than checkpoints are."""


class StudySimulator:
    """Runs one study in a swarm; the same spec, faults and seed give the same history."""

    def __init__(  # noqa: PLR0913, PLR0917 (what a study is rehearsed with)
        self,
        spec: StudySpec,
        num_peers: int,
        faults: StudyFaults,
        seed: int,
        slots: int = 1,
        epochs: int = 0,
        epoch_s: float = 0.5,
    ) -> None:
        self.clock = Clock()
        self.faults = faults
        self.record: Callable[[HistoryEntry], None] | None = None
        """Is given every event; set it before `run`."""
        self.faults_over_s = math.inf
        """When the last fault ended; infinite until then."""
        self.num_results = 0
        """Most results any peer's ledger has had."""
        self.coordinator_lost_s: float | None = None
        self._random = random.Random(seed)  # noqa: S311 (reproducible on purpose)
        self._pending = list(faults.blows)
        self._num_fated = 0
        self._cancelled = False
        self._check: Callable[[StudyPeer, list[Effect]], None] = lambda *_: None
        names = peer_names(num_peers + len(faults.join_at_s))
        self.spec = spec
        self.execution = Execution(
            self.clock, self._random, self._answer, epochs, epoch_s, self._note_begun
        )
        self.peers = {name: StudyPeer(name, self._machine(name), slots) for name in names}
        plan = FaultPlan(partitions=faults.partitions, one_way_losses=faults.one_way_losses)
        self.links = Links(plan, self.clock, self._random, self.peers, self._tell)
        self._transfers = Transfers(
            self.clock,
            self._random,
            self.links,
            self.peers,
            self._answer,
            FaultPlan(blob_transfer_s=TRANSFER_S if spec.data is None else DATA_TRANSFER_S),
            slowest=None,
        )
        self._submitter = self.peers[names[0]]
        self._first_peers = [self.peers[name] for name in names[:num_peers]]
        starts_s = [0.0, *(self._random.uniform(0.1, 1.5) for _ in range(num_peers - 1))]
        for name, start_s in zip(names, (*starts_s, *faults.join_at_s), strict=True):
            self.clock.at(start_s, self._start, self.peers[name])
        self.clock.at(faults.until_s, self._note_faults_over)

    def run(
        self, until_s: float, check: Callable[[StudyPeer, list[Effect]], None] = lambda *_: None
    ) -> None:
        """Run until `until_s`, or until the study is over and everybody knows all of it.

        Args:
            until_s: When to give up.
            check: Called with each peer that handled an event, and what it asked for.
        """
        self._check = check
        self.clock.run(until_s)

    @property
    def now_s(self) -> float:
        """Virtual time."""
        return self.clock.now_s

    @property
    def live(self) -> dict[PeerId, StudyPeer]:
        """Honest peers that are running."""
        hostile = self.faults.hostile
        return {name: p for name, p in self.peers.items() if p.alive and name != hostile}

    @property
    def over(self) -> bool:
        """Whether nothing else goes wrong, and all live ledgers are closed and equal."""
        if self.faults_over_s == math.inf or self._cancelled_in_vain:
            return False
        ledgers = [peer.machine.ledger for peer in self.live.values()]
        closed = all(ledger.closed is not None for ledger in ledgers)
        return closed and len({(len(x), x.checksum) for x in ledgers}) == 1

    @property
    def _cancelled_in_vain(self) -> bool:
        return self.faults.cancel_after_results is not None and not self._cancelled

    # -- faults

    def _strike_when_due(self) -> None:
        # Of a study that only the dead knew nobody can know.
        if any(not peer.life for peer in self._first_peers):
            return
        for blow in list(self._pending):
            if self.num_results >= blow.after_results:
                self._pending.remove(blow)
                self._num_fated += 1
                self.clock.after(blow.delay_s, self._strike, blow)
        due = self.faults.cancel_after_results
        if due is not None and self.num_results >= due and not self._cancelled:
            self._cancelled = True
            peer = self._random.choice(list(self.live.values()))
            self.clock.after(0.0, self._answer, peer, peer.life, CancelRequested())

    def _strike(self, blow: Blow) -> None:
        self._num_fated -= 1
        peer = self._victim(blow.role)
        if peer is not None and peer.alive and not peer.frozen:
            if blow.freezes_for_s is not None:
                self._freeze(peer, blow.freezes_for_s)
            else:
                self._crash(peer, blow.restarts_after_s)
        self._note_faults_over()

    def _victim(self, role: str) -> StudyPeer | None:
        coordinators = [p for p in self.live.values() if p.machine.coordinating is not None]
        coordinator = max(coordinators, key=lambda p: p.machine.coordinators.term, default=None)
        if role == COORDINATOR:
            return coordinator
        others = [peer for peer in self.live.values() if peer is not coordinator]
        if role == WORKER:
            return self._random.choice(others) if others else None
        if role == STANDBY and coordinator is not None:
            term = coordinator.machine.coordinators.term
            order = succession(self.spec.id, term, [peer.name for peer in others])
            return self.peers[order[0]] if order else None
        return self.peers.get(PeerId(role))

    def _crash(self, peer: StudyPeer, restarts_after_s: float | None) -> None:
        if peer.machine.coordinating is not None and not peer.machine.closed:
            self.coordinator_lost_s = self.now_s
        peer.end_life()
        self.links.end(peer.name)
        if restarts_after_s is not None:
            self._num_fated += 1
            self.clock.after(restarts_after_s, self._restart, peer)

    def _note_begun(self, peer: StudyPeer, trial: Trial) -> None:
        if trial.number == self.faults.poison_trial:
            delay_s = self._random.uniform(0.0, 0.5)
            self.clock.after(delay_s, self._kill, peer, peer.life)

    def _kill(self, peer: StudyPeer, life: int) -> None:
        if peer.alive and peer.life == life:
            self._crash(peer, self.faults.killed_back_s)

    def _restart(self, peer: StudyPeer) -> None:
        self._num_fated -= 1
        self._start(peer)
        self._note_faults_over()

    def _freeze(self, peer: StudyPeer, length_s: float) -> None:
        peer.frozen = True
        self.links.freeze(peer.name)
        self._num_fated += 1
        self.clock.after(length_s, self._thaw, peer, peer.life)

    def _thaw(self, peer: StudyPeer, life: int) -> None:
        self._num_fated -= 1
        if peer.alive and peer.life == life:
            peer.frozen = False
            self.links.thaw(peer.name)
            inbox, peer.inbox = peer.inbox, []
            for event in inbox:
                self._handle(peer, event)
        self._note_faults_over()

    def _note_faults_over(self) -> None:
        if self.now_s >= self.faults.until_s and not self._pending and not self._num_fated:
            self.faults_over_s = min(self.faults_over_s, self.now_s)

    # -- lives of peers

    def _machine(self, name: PeerId) -> Search:
        kind = Liar if name == self.faults.hostile else Search
        return kind(name, self.spec)

    def _start(self, peer: StudyPeer) -> None:
        if peer.life:
            peer.machine = self._machine(peer.name)
        peer.alive = True
        peer.life += 1
        submits = peer is self._submitter and peer.life == 1
        contact, coordinator, term = None, None, 0
        if not submits and peer.life == 1:
            offer = self._offer_for(peer)
            if offer is None:  # nobody is there yet who knows the study
                peer.alive, peer.life = False, 0
                self.clock.after(1.0, self._start, peer)
                return
            contact, coordinator, term = offer
        if submits and self.spec.data is not None:
            peer.store.add(self.spec.data.digest)
        self.links.start(peer.name)
        started = Started(
            slots=peer.slots,
            entries=tuple(peer.saved),
            term=max(term, peer.saved_term),
            contact=contact,
            coordinator=coordinator,
            submits=submits,
        )
        self._handle(peer, started)

    def _offer_for(self, peer: StudyPeer) -> tuple[PeerId, PeerId, int] | None:
        """What a newcomer hears on the topic of all searches."""
        knowing = [
            other
            for other in self.live.values()
            if (other.machine.coordinating is not None or other.machine.closed)
            and not self.links.parted(peer.name, other.name)
        ]
        if not knowing:
            return None
        other = self._random.choice(knowing)
        return other.name, other.name, other.machine.coordinators.term

    def _handle(self, peer: StudyPeer, event: Event) -> None:
        if peer.frozen:
            peer.inbox.append(event)
            return
        asked = peer.machine.handle(event, self.clock.now_s)
        for effect in asked:
            _CARRIERS[type(effect)](self, peer, effect)
        if self.record is not None:
            self.record(HistoryEntry(self.clock.now_s, peer.name, event, asked))
        self.num_results = max(self.num_results, len(peer.machine.ledger.results))
        self._check(peer, asked)
        self._strike_when_due()
        if peer.machine.closed and self.over:
            self.clock.stop()

    def _answer(self, peer: StudyPeer, life: int, event: Event) -> None:
        if peer.alive and peer.life == life:
            self._handle(peer, event)

    def _tell(self, name: PeerId, event: Event) -> None:
        peer = self.peers[name]
        if peer.alive:
            self._handle(peer, event)

    # -- effects

    def _set_timer(self, peer: StudyPeer, effect: SetTimer) -> None:
        serial = peer.timers.get(effect.name, 0) + 1
        peer.timers[effect.name] = serial
        self.clock.at(effect.due_s, self._fire, peer, peer.life, effect.name, serial)

    def _fire(self, peer: StudyPeer, life: int, timer: str, serial: int) -> None:
        if peer.alive and peer.life == life and peer.timers.get(timer) == serial:
            self._handle(peer, TimerFired(timer))

    def _subscribe(self, peer: StudyPeer, effect: Subscribe) -> None:
        peer.topics.add(effect.topic)

    def _unsubscribe(self, peer: StudyPeer, effect: Unsubscribe) -> None:
        peer.topics.discard(effect.topic)

    def _publish(self, peer: StudyPeer, effect: Publish) -> None:
        for other in self.peers.values():
            listens = other.alive and effect.topic in other.topics and other is not peer
            if listens and self.links.publishes(peer.name, other.name):
                self._transmit(other, effect.message)

    def _send(self, peer: StudyPeer, effect: Send) -> None:
        other = self.peers.get(effect.peer)
        if other is not None and other.alive and self.links.sends(peer.name, other.name):
            self._transmit(other, effect.message)

    def _transmit(self, target: StudyPeer, message: Event) -> None:
        faults, chance = self.faults, self._random.random
        copies = 2 if faults.duplicate_rate and chance() < faults.duplicate_rate else 1
        for _ in range(copies):
            if faults.loss_rate and chance() < faults.loss_rate:
                continue
            spread_s = faults.delay_s_max - faults.delay_s_min
            delay_s = faults.delay_s_min + spread_s * chance()
            self.clock.after(delay_s, self._answer, target, target.life, message)

    def _run_trial(self, peer: StudyPeer, effect: RunTrial) -> None:
        if self.spec.data is not None and self.spec.data.digest not in peer.store:
            raise AssertionError(f"{peer.name} runs a trial without the study's data")
        self.execution.run(peer, effect)

    def _fetch(self, peer: StudyPeer, effect: FetchBlob) -> None:
        if effect.blob.digest in peer.store:
            self.clock.after(0.0, self._answer, peer, peer.life, BlobArrived(effect.blob))
        else:
            self._transfers.fetch(peer, effect)

    def _keep_blobs(self, peer: StudyPeer, effect: KeepBlobs) -> None:
        peer.store &= {blob.digest for blob in effect.blobs}

    def _keep_connected(self, peer: StudyPeer, effect: KeepConnected) -> None:
        self.links.keep(peer.name, effect.peers)

    def _save_entries(self, peer: StudyPeer, effect: SaveEntries) -> None:
        peer.saved.extend(effect.entries)

    def _save_term(self, peer: StudyPeer, effect: SaveTerm) -> None:
        peer.saved_term = effect.term


_CARRIERS: dict[type[Effect], Callable[[StudySimulator, StudyPeer, Any], None]] = {
    SetTimer: StudySimulator._set_timer,
    Publish: StudySimulator._publish,
    Send: StudySimulator._send,
    Subscribe: StudySimulator._subscribe,
    Unsubscribe: StudySimulator._unsubscribe,
    FetchBlob: StudySimulator._fetch,
    KeepBlobs: StudySimulator._keep_blobs,
    KeepConnected: StudySimulator._keep_connected,
    SaveEntries: StudySimulator._save_entries,
    SaveTerm: StudySimulator._save_term,
    Note: lambda simulator, peer, effect: None,
    RunTrial: StudySimulator._run_trial,
    PruneTrial: lambda simulator, peer, effect: simulator.execution.prune(peer, effect.trial),
    DropTrial: lambda simulator, peer, effect: simulator.execution.drop(peer, effect.trial),
}


def data_blob() -> BlobRef:
    """The submitter's data of a study that has some."""
    return BlobRef("da7a" * 16, DATA_BYTES)  # type: ignore[arg-type]  # checked by BlobRef itself
