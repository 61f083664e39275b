"""Faults that only studies have."""

from dataclasses import dataclass

from swarm.simulation.faults import FaultPlan

COORDINATOR, STANDBY, WORKER = ("coordinator", "standby", "worker")
"""Roles that faults strike: the coordinator, the next one in succession, or any other peer."""


@dataclass(frozen=True, slots=True)
class StudyFaults(FaultPlan):
    """Faults of one simulated study; the progress that crashes and freezes refer to is results."""

    cancel_after_results: int | None = None
    """The user of some peer cancels the study once a ledger has this many results."""
    poison_trial: int | None = None
    """Number of a trial that kills each process that runs it."""
    killed_back_s: float = 1.0
    """Seconds until a peer that the poison trial killed restarts."""

    @property
    def parts_peers(self) -> bool:
        """Whether live peers may lose contact for long enough to go separate ways."""
        return bool(self.partitions or self.one_way_losses or self.freezes or self.loss_rate)
