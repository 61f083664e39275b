"""Peers: what every simulated peer has, whatever its machine decides."""

from dataclasses import dataclass, field

from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Event, Machine


@dataclass(slots=True, eq=False)
class SimulatedPeer:
    """One peer: its machine, its clock, its disk, and what is on its way to it."""

    name: PeerId
    machine: Machine
    clock_offset_s: float = 0.0
    clock_rate: float = 1.0
    """Seconds of its own clock per second of the world."""
    alive: bool = False
    life: int = 0
    """Number of starts. An answer to a request of an earlier life is dropped."""
    started_s: float = 0.0
    """When its present life began."""
    frozen: bool = False
    inbox: list[Event] = field(default_factory=list)
    """Events that arrived while it was frozen."""
    topics: dict[str, None] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    """Serial of the newest timer of each name; older ones do not fire."""
    store: set[Digest] = field(default_factory=set)
    num_sent: int = 0
    """Messages sent or published, whatever the number of receivers."""
    num_received: int = 0
    contacts: set[PeerId] = field(default_factory=set)
    """Peers that it sent something to or keeps a connection to; checkers may clear it."""

    def own_s(self, now_s: float) -> float:
        """What this peer's clock shows."""
        return self.clock_offset_s + now_s * self.clock_rate

    def world_s(self, own_s: float) -> float:
        """When this peer's clock shows `own_s`."""
        return (own_s - self.clock_offset_s) / self.clock_rate

    def end_life(self) -> None:
        """Lose what a process loses when it dies."""
        self.alive = self.frozen = False
        self.inbox.clear()
        self.timers.clear()


def peer_names(num_peers: int) -> tuple[PeerId, ...]:
    """Names of simulated peers; they sort by number."""
    width = max(2, len(str(num_peers - 1)))
    return tuple(PeerId(f"peer-{k:0{width}}") for k in range(num_peers))
