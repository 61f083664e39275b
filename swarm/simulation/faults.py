"""Faults: what goes wrong in a simulated world, how often and when."""

from dataclasses import dataclass

from swarm.commanding.commands import Action
from swarm.core.ids import PeerId, SessionId


@dataclass(frozen=True, slots=True)
class Partition:
    """Between these times no message passes between islands; peers in none are one more island."""

    start_s: float
    end_s: float
    islands: tuple[frozenset[PeerId], ...]


@dataclass(frozen=True, slots=True)
class OneWayLoss:
    """Between these times `targets` get nothing that `sources` send; connections stay open."""

    start_s: float
    end_s: float
    sources: frozenset[PeerId]
    targets: frozenset[PeerId]


@dataclass(frozen=True, slots=True)
class Crash:
    """The peer in a role dies without a word."""

    role: str
    """A role that the workload knows, such as `root` or `coordinator`, or the name of a peer."""
    progress: int
    """The world's progress, in rounds or results, from which `delay_s` counts."""
    delay_s: float
    restart_after_s: float | None = None
    """Seconds until it restarts with the same identity and state; None for never."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """The peer in a role stands still, as after SIGSTOP.

    What it receives waits until it goes on; its timers are late.
    """

    role: str
    """As of a `Crash`."""
    progress: int
    """As of a `Crash`."""
    delay_s: float
    length_s: float


@dataclass(frozen=True, slots=True)
class Stall:
    """A peer stands still for a moment because its machine is busy; its connections stay open."""

    peer: PeerId
    at_s: float
    length_s: float


@dataclass(frozen=True, slots=True)
class ScheduledCommand:
    """A command that an operator gives at this time."""

    at_s: float
    operator: PeerId
    action: Action
    subject: PeerId | None = None
    scope: str = ""
    """Empty for the scope of all commands of the history."""
    session: SessionId | None = None
    """For commands to peers."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults of one run; workloads add their own.

    Rates are probabilities per message and receiver.
    """

    loss_rate: float = 0.0
    duplicate_rate: float = 0.0
    replay_rate: float = 0.0
    """Per published message: some peer gets it once more, seconds to minutes later."""
    delay_s_min: float = 0.005
    delay_s_max: float = 0.05
    crashes: tuple[Crash, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    stalls: tuple[Stall, ...] = ()
    partitions: tuple[Partition, ...] = ()
    one_way_losses: tuple[OneWayLoss, ...] = ()
    join_at_s: tuple[float, ...] = ()
    """When each latecomer starts."""
    blob_transfer_s: float = 0.05
    """Seconds that the transfer of one blob takes."""
    slow_link_s: float | None = None
    """The same to and from the last of the first peers, if it is behind a slow link."""
    slow_upwards_only: bool = False
    """That link is slow only for what the peer sends, as many home links are."""
    withholding: PeerId | None = None
    """A peer that gives its blobs to no other peer, and is correct in all else."""
    clock_offset_s_max: float = 0.0
    """Each peer's clock started at most this many seconds before the run ..."""
    clock_rate_error_max: float = 0.0
    """... and is fast or slow by at most this share."""
    hostile: PeerId | None = None
    """A peer that lies and sends what is invalid."""
    operators: tuple[PeerId, ...] = ()
    """Operators that all peers trust."""
    commands: tuple[ScheduledCommand, ...] = ()

    @property
    def until_s(self) -> float:
        """When the last fault that has a fixed time is over."""
        ends_s = [partition.end_s for partition in self.partitions]
        ends_s += [loss.end_s for loss in self.one_way_losses]
        ends_s += [command.at_s for command in self.commands]
        ends_s += [stall.at_s + stall.length_s for stall in self.stalls]
        return max((*ends_s, *self.join_at_s), default=0.0)
