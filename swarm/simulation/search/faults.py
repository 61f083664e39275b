"""Faults: what goes wrong in a simulated study, how often and when."""

from dataclasses import dataclass

from swarm.core.ids import PeerId
from swarm.simulation.faults import OneWayLoss, Partition

COORDINATOR, STANDBY, WORKER = ROLES = ("coordinator", "standby", "worker")


@dataclass(frozen=True, slots=True)
class Blow:
    """A peer dies or stands still once somebody's ledger has so many results."""

    role: str
    """`coordinator`, `standby` (the next coordinator), `worker` (another), or a peer's name."""
    after_results: int
    delay_s: float = 0.0
    freezes_for_s: float | None = None
    """It stands still for so long, as SIGSTOP does; None: it dies."""
    restarts_after_s: float | None = None
    """A peer that died comes back with its stored ledger; None for never."""


@dataclass(frozen=True, slots=True)
class StudyFaults:
    """Faults of one run. Rates are probabilities per message and receiver."""

    loss_rate: float = 0.0
    duplicate_rate: float = 0.0
    delay_s_min: float = 0.005
    delay_s_max: float = 0.05
    blows: tuple[Blow, ...] = ()
    partitions: tuple[Partition, ...] = ()
    one_way_losses: tuple[OneWayLoss, ...] = ()
    join_at_s: tuple[float, ...] = ()
    """When each latecomer starts."""
    cancel_after_results: int | None = None
    """Some peer's user cancels the study then."""
    poison_trial: int | None = None
    """Number of a trial that kills whoever runs it."""
    killed_back_s: float = 1.0
    """So long after it was killed that way a peer comes back."""
    hostile: PeerId | None = None
    """A peer that lies about trials."""

    @property
    def until_s(self) -> float:
        """When the last fault that has a fixed time is over."""
        ends_s = [partition.end_s for partition in self.partitions]
        ends_s += [loss.end_s for loss in self.one_way_losses]
        return max((*ends_s, *self.join_at_s), default=0.0)

    @property
    def parts_peers(self) -> bool:
        """Whether live peers may not hear each other for so long that they go separate ways."""
        silent = any(blow.freezes_for_s for blow in self.blows)
        return bool(self.partitions or self.one_way_losses or silent or self.loss_rate)
