"""StudySimulator: the peers of one study in a simulated world."""

from collections.abc import Callable
from dataclasses import replace

from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobArrived, FetchBlob
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
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
from swarm.simulation.search.execution import Execution
from swarm.simulation.search.faults import COORDINATOR, STANDBY, WORKER, StudyFaults
from swarm.simulation.search.hostile import Liar
from swarm.simulation.search.peers import StudyPeer
from swarm.simulation.world import SimulatedWorld

DATA_BYTES = 50_000
DATA_TRANSFER_S = 1.0
"""Seconds that a transfer takes in a study with data, which is often larger than checkpoints."""


class StudySimulator(SimulatedWorld[StudyPeer]):
    """Runs a study until it is over and all live peers have the same closed ledger."""

    plan: StudyFaults

    def __init__(  # noqa: PLR0913, PLR0917 (what a study is rehearsed with)
        self,
        spec: StudySpec,
        num_peers: int,
        plan: StudyFaults,
        seed: int,
        slots: int = 1,
        epochs: int = 0,
        epoch_s: float = 0.5,
    ) -> None:
        if spec.data is not None:
            plan = replace(plan, blob_transfer_s=DATA_TRANSFER_S)
        super().__init__(plan, num_peers, seed)
        self.check: Callable[[StudyPeer, list[Effect]], None] = lambda *_: None
        """Called after each event with the peer and the effects it asked for."""
        self.coordinator_lost_s: float | None = None
        self.delivery.by_name = True  # histories of studies depend on this order
        self._cancelled = False
        self.spec = spec
        self.execution = Execution(
            self.clock, self._random, self._answer, epochs, epoch_s, self._note_begun
        )
        for name in self.names:
            self.peers[name] = StudyPeer(name, self._machine(name), slots=slots)
        self._submitter = self.peers[self.names[0]]
        self._first_peers = [self.peers[name] for name in self.names[:num_peers]]
        self._carriers |= {
            FetchBlob: self._fetch,
            SaveEntries: self._save_entries,
            SaveTerm: self._save_term,
            Note: lambda peer, effect: None,
            RunTrial: self._run_trial,
            PruneTrial: self.execution.prune,
            DropTrial: self.execution.drop,
        }
        self._begin([0.0, *(self._random.uniform(0.1, 1.5) for _ in range(num_peers - 1))])

    @property
    def over(self) -> bool:
        """Whether no fault is left, and all live ledgers are closed and equal."""
        if not self.faults_over or self._cancels_later:
            return False
        ledgers = [peer.machine.ledger for peer in self.live.values()]
        closed = all(ledger.closed is not None for ledger in ledgers)
        return closed and len({(len(x), x.checksum) for x in ledgers}) == 1

    @property
    def _cancels_later(self) -> bool:
        return self.plan.cancel_after_results is not None and not self._cancelled

    # -- faults

    def _cancel_when_due(self) -> None:
        due = self.plan.cancel_after_results
        if due is not None and self.progress >= due and not self._cancelled:
            self._cancelled = True
            peer = self._random.choice(list(self.live.values()))
            self.clock.after(0.0, self._answer, peer, peer.life, CancelRequested())

    def _find_role(self, role: str) -> StudyPeer | None:
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

    def _note_begun(self, peer: StudyPeer, trial: Trial) -> None:
        if trial.number == self.plan.poison_trial:
            delay_s = self._random.uniform(0.0, 0.5)
            self.clock.after(delay_s, self._kill, peer, peer.life)

    def _kill(self, peer: StudyPeer, life: int) -> None:
        if peer.alive and peer.life == life:
            self._crash(peer, self.plan.killed_back_s)

    # -- lives of peers

    def _machine(self, name: PeerId) -> Search:
        kind = Liar if name == self.plan.hostile else Search
        return kind(name, self.spec)

    def _start(self, peer: StudyPeer) -> None:
        newcomer = not peer.life
        submits = newcomer and peer is self._submitter
        offering = self._offering(peer) if newcomer and not submits else None
        if newcomer and not submits and offering is None:
            self.clock.after(1.0, self._start, peer)  # no peer offers the study yet
            return
        self._revive(peer)
        if submits and self.spec.data is not None:
            peer.store.add(self.spec.data.digest)
        self.links.start(peer.name)
        term = offering.machine.coordinators.term if offering is not None else 0
        contact = offering.name if offering is not None else None
        started = Started(
            slots=peer.slots,
            entries=tuple(peer.saved),
            term=max(term, peer.saved_term),
            contact=contact,
            coordinator=contact,
            submits=submits,
        )
        self._handle(peer, started)

    def _offering(self, peer: StudyPeer) -> StudyPeer | None:
        """The peer that offers the study to a newcomer, on the topic of all searches."""
        offering = [
            other
            for other in self.live.values()
            if (other.machine.coordinating is not None or other.machine.closed)
            and not self.links.parted(peer.name, other.name)
        ]
        return self._random.choice(offering) if offering else None

    def _crash(self, peer: StudyPeer, restart_after_s: float | None = None) -> None:
        if peer.machine.coordinating is not None and not peer.machine.closed:
            self.coordinator_lost_s = self.now_s
        super()._crash(peer, restart_after_s)

    def _handled(self, peer: StudyPeer, effects: list[Effect]) -> None:
        self.progress = max(self.progress, len(peer.machine.ledger.results))
        self.check(peer, effects)
        # If all peers that know a study die before the others start, it is lost for good.
        if all(first.life for first in self._first_peers):
            self._schedule_due_faults()
            self._cancel_when_due()
        if peer.machine.closed and self.over:
            self.clock.stop()

    # -- effects

    def _run_trial(self, peer: StudyPeer, effect: RunTrial) -> None:
        if self.spec.data is not None and self.spec.data.digest not in peer.store:
            raise AssertionError(f"{peer.name} runs a trial without the study's data")
        self.execution.run(peer, effect)

    def _fetch(self, peer: StudyPeer, effect: FetchBlob) -> None:
        if effect.blob.digest in peer.store:
            self.clock.after(0.0, self._answer, peer, peer.life, BlobArrived(effect.blob))
        else:
            self.transfers.fetch(peer, effect)

    def _save_entries(self, peer: StudyPeer, effect: SaveEntries) -> None:
        peer.saved.extend(effect.entries)

    def _save_term(self, peer: StudyPeer, effect: SaveTerm) -> None:
        peer.saved_term = effect.term


def data_blob() -> BlobRef:
    """The submitter's data of a study that has some."""
    return BlobRef("da7a" * 16, DATA_BYTES)  # type: ignore[arg-type]  # checked by BlobRef itself
