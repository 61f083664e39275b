"""Peers of a simulated ensemble: what each one has, and what survives a crash of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from swarm.core.ids import Digest
from swarm.core.machine import Event
from swarm.ensemble.asker import Asker
from swarm.ensemble.effects import SaveMember, Serve
from swarm.ensemble.member import Member
from swarm.simulation.peers import SimulatedPeer


@dataclass(slots=True, eq=False)
class EnsemblePeer(SimulatedPeer):
    """A member or an asker."""


@dataclass(slots=True, eq=False)
class AskerPeer(EnsemblePeer):
    """An asker: nothing of it survives a crash."""

    machine: Asker


@dataclass(slots=True, eq=False)
class MemberPeer(EnsemblePeer):
    """A member: its rows and saved state on the disk, and what its driver does."""

    machine: Member
    num_rows: int = 100
    saved: SaveMember | None = None
    files: set[Digest] = field(default_factory=set)
    """Own models on its disk."""
    served: Serve = field(default_factory=lambda: Serve(None, None))
    """What its serving process has ready."""
    fits: set[int] = field(default_factory=set)
    """Jobs that run."""
    num_predicting: int = 0
    """Questions that its serving process has."""
    left: bool = False

    def end_life(self) -> None:
        """Lose what a process loses when it dies."""
        SimulatedPeer.end_life(self)
        self.served = Serve(None, None)
        self.fits.clear()
        self.num_predicting = 0


AnswerEvent = Callable[[EnsemblePeer, int, Event], None]
"""Hands an event to a peer, unless the life that asked for it is over."""
