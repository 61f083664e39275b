"""Peers of a simulated swarm: what each one is, and what all of them hold."""

from collections import Counter, deque
from dataclasses import dataclass, field

from swarm.commanding.commands import Command
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Event
from swarm.federation.effects import Note
from swarm.federation.federation import Federation
from swarm.federation.ledger_entries import LedgerEntry
from swarm.federation.messages import Contribution
from swarm.federation.records import GlobalModel

HEADS_RESUMED_MAX = 64
NOTES_MAX = 256


@dataclass(slots=True, eq=False)
class SimulatedPeer:
    """One peer: its machine, and what survives a crash of it."""

    name: PeerId
    index: int
    machine: Federation
    clock_offset_s: float = 0.0
    clock_rate: float = 1.0
    """Seconds of its own clock per second of the world."""
    alive: bool = False
    life: int = 0
    """Counts starts; what an earlier life asked for is not answered to a later one."""
    started_s: float = 0.0
    frozen: bool = False
    inbox: list[Event] = field(default_factory=list)
    """What arrived while it was frozen."""
    topics: dict[str, None] = field(default_factory=dict)
    store: set[Digest] = field(default_factory=set)
    heads: deque[GlobalModel] = field(default_factory=lambda: deque(maxlen=HEADS_RESUMED_MAX))
    contribution: Contribution | None = None
    entries: tuple[LedgerEntry, ...] = ()
    commands: tuple[Command, ...] = ()
    timers: dict[str, int] = field(default_factory=dict)
    training: Digest | None = None
    notes: deque[tuple[float, Note]] = field(default_factory=lambda: deque(maxlen=NOTES_MAX))
    num_sent: int = 0
    """Messages sent or published, however many received them."""
    num_received: int = 0
    contacts: set[PeerId] = field(default_factory=set)
    """Peers it sent something to or keeps a connection to; checkers begin it anew."""

    def own_s(self, now_s: float) -> float:
        """What this peer's clock shows."""
        return self.clock_offset_s + now_s * self.clock_rate

    def world_s(self, own_s: float) -> float:
        """When this peer's clock shows `own_s`."""
        return (own_s - self.clock_offset_s) / self.clock_rate

    def end_life(self) -> None:
        """Lose what a process that dies loses."""
        self.alive = self.frozen = False
        self.inbox.clear()
        self.timers.clear()
        self.training = None

    @property
    def resumable(self) -> tuple[GlobalModel, ...]:
        """Remembered heads up to the newest whose weights are in the store."""
        heads = list(self.heads)
        while heads and heads[-1].blob.digest not in self.store:
            heads.pop()
        return tuple(heads)


class Census:
    """What the live peers hold, counted as it changes.

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

    def count(self, peer: SimulatedPeer) -> None:
        """Take note of a peer that started, died, adopted or measured a head."""
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
