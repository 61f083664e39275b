"""Faults: what goes wrong in a simulated swarm, how often and when."""

from dataclasses import dataclass

from swarm.core.ids import PeerId


@dataclass(frozen=True, slots=True)
class Partition:
    """Between these times, `island` and the rest do not hear each other."""

    start_s: float
    end_s: float
    island: frozenset[PeerId]


@dataclass(frozen=True, slots=True)
class Crash:
    """A peer dies without a word `delay_s` after some peer (of head 0: two) holds this round's."""

    role: str
    """`root`, `aggregator`, `trainer`, `starter`, or the name of a peer."""
    round: int
    delay_s: float
    restart_after_s: float | None = None
    """With the same identity and state; None for never."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults of one run. Rates are probabilities per message and receiver."""

    loss_rate: float = 0.0
    duplicate_rate: float = 0.0
    delay_s_min: float = 0.005
    delay_s_max: float = 0.05
    crashes: tuple[Crash, ...] = ()
    partitions: tuple[Partition, ...] = ()
    join_at_s: tuple[float, ...] = ()
    """When each latecomer starts."""
    blob_transfer_s: float = 0.05
    """How long one blob is on its way."""
    slow_factor: float = 1.0
    """The last peer trains so many times longer than the others."""
