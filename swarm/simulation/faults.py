"""Faults: what goes wrong in a simulated swarm, how often and when."""

from dataclasses import dataclass

from swarm.commanding.commands import Action
from swarm.core.ids import PeerId


@dataclass(frozen=True, slots=True)
class Partition:
    """Between these times the islands do not hear each other; peers in none are one island."""

    start_s: float
    end_s: float
    islands: tuple[frozenset[PeerId], ...]


@dataclass(frozen=True, slots=True)
class OneWayLoss:
    """Between these times nothing that `sources` send reaches `targets`; connections stay."""

    start_s: float
    end_s: float
    sources: frozenset[PeerId]
    targets: frozenset[PeerId]


@dataclass(frozen=True, slots=True)
class Crash:
    """A peer dies without a word `delay_s` after some peer (of head 0: two) holds this round's."""

    role: str
    """`root`, `aggregator`, `tier-2 aggregator`, `trainer`, `starter`, or the name of a peer."""
    round: int
    delay_s: float
    restart_after_s: float | None = None
    """With the same identity and state; None for never."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A peer stands still, `delay_s` after some peer (of head 0: two) holds this round's.

    What it receives waits until it goes on; its timers are late.
    """

    role: str
    """As of a `Crash`."""
    round: int
    delay_s: float
    length_s: float


@dataclass(frozen=True, slots=True)
class ScheduledCommand:
    """An operator's command, given at a time."""

    at_s: float
    operator: PeerId
    action: Action
    subject: PeerId | None = None


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults of one run. Rates are probabilities per message and receiver."""

    loss_rate: float = 0.0
    duplicate_rate: float = 0.0
    replay_rate: float = 0.0
    """Per published message: some peer gets it once more, seconds to minutes later."""
    delay_s_min: float = 0.005
    delay_s_max: float = 0.05
    crashes: tuple[Crash, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    partitions: tuple[Partition, ...] = ()
    one_way_losses: tuple[OneWayLoss, ...] = ()
    join_at_s: tuple[float, ...] = ()
    """When each latecomer starts."""
    blob_transfer_s: float = 0.05
    """How long one blob is on its way."""
    sites: tuple[str, ...] = ()
    """Peers take these labels in turn."""
    slow_link_s: float | None = None
    """The same to and from the last peer, if that is behind a slow link."""
    slow_upwards_only: bool = False
    """That link is slow only away from the peer, as many a home's is."""
    withholding: PeerId | None = None
    """Nobody gets weights from this peer; all else it does as it should."""
    slow_factor: float = 1.0
    """The last peer trains so many times longer than the others."""
    clock_offset_s_max: float = 0.0
    """Each peer's clock began at most so long ago ..."""
    clock_rate_error_max: float = 0.0
    """... and is fast or slow by at most this share."""
    hostile: PeerId | None = None
    """A peer that lies and sends what is invalid."""
    invents_branches: bool = False
    """It also tells of parted work that nobody did."""
    misled_at_s: float | None = None
    """When a newcomer starts that is told to contact the hostile peer alone, and believes it."""
    operators: tuple[PeerId, ...] = ()
    """Whom all peers trust."""
    orders: tuple[ScheduledCommand, ...] = ()

    @property
    def until_s(self) -> float:
        """When the last fault that has a fixed time is over."""
        ends_s = [partition.end_s for partition in self.partitions]
        ends_s += [loss.end_s for loss in self.one_way_losses]
        ends_s += [order.at_s for order in self.orders]
        ends_s += [self.misled_at_s] if self.misled_at_s is not None else []
        return max((*ends_s, *self.join_at_s), default=0.0)
