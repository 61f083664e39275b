"""Peers of a simulated study: what each one has, and what survives a crash of it."""

from dataclasses import dataclass, field

from swarm.search.effects import RunTrial
from swarm.search.search import Search
from swarm.search.study_ledger import Entry
from swarm.search.trial import TrialId
from swarm.simulation.peers import SimulatedPeer


@dataclass(slots=True, eq=False)
class StudyPeer(SimulatedPeer):
    """One peer of a study: its slots, and the ledger on its disk."""

    machine: Search
    slots: int = 1
    saved: list[Entry] = field(default_factory=list)
    saved_term: int = 0
    queue: list[RunTrial] = field(default_factory=list)
    """Trials that wait for a slot."""
    running: dict[TrialId, int] = field(default_factory=dict)
    """Trials that have a slot, with a serial of their execution."""
    pruned: set[TrialId] = field(default_factory=set)

    def end_life(self) -> None:
        """Lose what a process loses when it dies."""
        SimulatedPeer.end_life(self)
        self.queue.clear()
        self.running.clear()
        self.pruned.clear()
