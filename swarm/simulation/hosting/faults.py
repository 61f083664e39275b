"""What a plan has besides faults: sessions, and peers that are idle."""

from dataclasses import dataclass

from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.simulation.faults import FaultPlan


@dataclass(frozen=True, slots=True)
class HostingFaults(FaultPlan):
    """Faults, sessions and commands of one history; progress is the number of sessions."""

    sessions: tuple[tuple[PeerId, float], ...] = ()
    """For each session, the peer that starts it when it starts itself, and its length in seconds.

    The newest is the last; it outlasts the history.
    """
    idle: frozenset[PeerId] = frozenset()
    """Peers that take up nothing by themselves."""

    @property
    def newest(self) -> SessionSpec:
        """The session in which all peers should end up."""
        return session_of(self.sessions[-1][0])


def session_of(starter: PeerId) -> SessionSpec:
    """The session that a peer starts."""
    return SessionSpec(starter=starter)
