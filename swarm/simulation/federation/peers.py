"""Peers of a simulated session: what each one has, and what all of them hold."""

from collections import Counter, deque
from dataclasses import dataclass, field

from swarm.commanding.commands import Command
from swarm.core.ids import Digest, PeerId
from swarm.federation.effects import Note
from swarm.federation.federation import Federation
from swarm.federation.ledger_entries import LedgerEntry
from swarm.federation.messages import Contribution
from swarm.federation.records import GlobalModel, Metrics
from swarm.simulation.peers import SimulatedPeer

HEADS_RESUMED_MAX = 64
NOTES_MAX = 256


@dataclass(slots=True, eq=False)
class SessionPeer(SimulatedPeer):
    """One peer of a session, and what survives a crash of it."""

    machine: Federation
    index: int = 0
    heads: deque[GlobalModel] = field(default_factory=lambda: deque(maxlen=HEADS_RESUMED_MAX))
    contribution: Contribution | None = None
    entries: tuple[LedgerEntry, ...] = ()
    commands: tuple[Command, ...] = ()
    training: Digest | None = None
    """Base of the training that is under way."""
    num_failures: int = 0
    """Trainings that failed."""
    notes: deque[tuple[float, Note]] = field(default_factory=lambda: deque(maxlen=NOTES_MAX))
    counted: tuple[GlobalModel | None, Metrics | None] = None, None
    """The head it held and the final metrics it had when they were last checked."""

    def end_life(self) -> None:
        """Lose what a process loses when it dies."""
        SimulatedPeer.end_life(self)
        self.training = None

    @property
    def resumable(self) -> tuple[GlobalModel, ...]:
        """Remembered heads up to the newest whose weights are in the store."""
        heads = list(self.heads)
        while heads and heads[-1].blob.digest not in self.store:
            heads.pop()
        return tuple(heads)


class Census:
    """Counts what the live peers hold, as it changes.

    Invariant: `holders` counts each live peer once.
    """

    def __init__(self) -> None:
        self.holders: Counter[Digest | None] = Counter()
        self.num_live = 0
        self.unsettled: set[PeerId] = set()
        """Live peers that have not held and measured the last head."""
        self.greatest: GlobalModel | None = None
        """Greatest head ever held."""
        self._counted: dict[PeerId, Digest | None] = {}

    def count(self, peer: SessionPeer) -> None:
        """Count a peer that started, died, adopted or measured a head."""
        self._discount(peer.name)
        if not peer.alive:
            return
        machine = peer.machine
        held = machine.held
        self._counted[peer.name] = digest = held.digest if held is not None else None
        self.num_live += 1
        self.holders[digest] += 1
        if held is not None and (self.greatest is None or held.key > self.greatest.key):
            self.greatest = held
        if not (machine.finished and machine.final_metrics):
            self.unsettled.add(peer.name)

    @property
    def agreed(self) -> bool:
        """Whether all live peers hold the same head."""
        return len(self.holders) == 1 and None not in self.holders

    @property
    def settled(self) -> bool:
        """Whether all live peers hold and have measured one last head."""
        return self.agreed and not self.unsettled

    @property
    def num_holding(self) -> int:
        """Live peers that hold some head."""
        return self.num_live - self.holders.get(None, 0)

    def _discount(self, name: PeerId) -> None:
        if name not in self._counted:
            return
        digest = self._counted.pop(name)
        self.num_live -= 1
        self.unsettled.discard(name)
        self.holders[digest] -= 1
        if not self.holders[digest]:
            del self.holders[digest]
