"""Faults that only federated sessions have."""

from dataclasses import dataclass

from swarm.core.ids import PeerId
from swarm.simulation.faults import FaultPlan


@dataclass(frozen=True, slots=True)
class SessionFaults(FaultPlan):
    """Faults of one simulated session; the progress that crashes and freezes refer to is rounds.

    They wait until two peers hold a head: before that, initial weights would die with the starter.
    """

    sites: tuple[str, ...] = ()
    """Site labels, which peers take in turn."""
    slow_factor: float = 1.0
    """The last of the first peers needs this multiple of the others' time to train."""
    failing: PeerId | None = None
    """Each training of this peer fails."""
    speeds: tuple[float, ...] = ()
    """Multiples of the usual time that peers need to train, which they take in turn ..."""
    slowed_at_s: float = 0.0
    """... for trainings that begin at this time or later."""
    combining_s: float = 0.02
    """Seconds that it takes to combine weights."""
    hanging: PeerId | None = None
    """The training of this peer stops half-way, and never ends."""
    pretending: PeerId | None = None
    """This peer says for ever that its training gets on, and never ends any work."""
    invents_branches: bool = False
    """The hostile peer also announces branches of work that no peer did."""
    misled: bool = False
    """The last latecomer has the hostile peer as its only contact, and believes it."""
