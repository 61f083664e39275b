"""Peers of a simulated study: what each one is, and what survives a crash of it."""

from dataclasses import dataclass, field

from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Event
from swarm.search.effects import RunTrial
from swarm.search.search import Search
from swarm.search.study_ledger import Entry
from swarm.search.trial import TrialId


@dataclass(slots=True, eq=False)
class StudyPeer:
    """One peer: its machine, its slots, its disk."""

    name: PeerId
    machine: Search
    slots: int
    alive: bool = False
    life: int = 0
    """Counts starts; what an earlier life asked for is not answered to a later one."""
    frozen: bool = False
    inbox: list[Event] = field(default_factory=list)
    """What arrived while it was frozen."""
    topics: set[str] = field(default_factory=set)
    timers: dict[str, int] = field(default_factory=dict)
    store: set[Digest] = field(default_factory=set)
    saved: list[Entry] = field(default_factory=list)
    saved_term: int = 0
    queue: list[RunTrial] = field(default_factory=list)
    """Trials that wait for a slot."""
    running: dict[TrialId, int] = field(default_factory=dict)
    """Trials that have a slot, with a serial of their execution."""
    pruned: set[TrialId] = field(default_factory=set)

    def end_life(self) -> None:
        """Lose what a process that dies loses."""
        self.alive = self.frozen = False
        self.inbox.clear()
        self.topics.clear()
        self.timers.clear()
        self.queue.clear()
        self.running.clear()
        self.pruned.clear()
