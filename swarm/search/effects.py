"""What a search machine asks its driver for, and what the driver tells it."""

from dataclasses import dataclass

from swarm.core.blobs import BlobRef
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event
from swarm.search.messages import SLOTS_MAX
from swarm.search.study_ledger import Entry
from swarm.search.trial import Trial, TrialId, TrialReport, TrialResult


@dataclass(frozen=True, slots=True)
class RunTrial(Effect):
    """Execute a trial when a slot is free, in the order of asking.

    Answered by any number of `TrialReported` and one `TrialFinished`, unless it is dropped.
    """

    trial: Trial
    checkpoint: BlobRef | None = None
    """Go on from here; the blob is in the store."""


@dataclass(frozen=True, slots=True)
class PruneTrial(Effect):
    """End a trial after its present epoch; its result is `pruned`."""

    trial: TrialId


@dataclass(frozen=True, slots=True)
class DropTrial(Effect):
    """End a trial, or forget it if it waits; nobody wants to hear of it."""

    trial: TrialId


@dataclass(frozen=True, slots=True)
class SaveEntries(Effect):
    """Append entries to the stored ledger before anything that follows is sent."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class SaveTerm(Effect):
    """Remember the newest term: no peer coordinates twice in one."""

    term: int


@dataclass(frozen=True, slots=True)
class Note(Effect):
    """Something worth telling the user."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The machine's life begins; comes first."""

    slots: int = 0
    entries: tuple[Entry, ...] = ()
    """Of the stored ledger."""
    term: int = 0
    """The newest one stored."""
    contact: PeerId | None = None
    """Who offered the study; None for its submitter, and after a restart."""
    coordinator: PeerId | None = None
    """Whom the offer named."""
    submits: bool = False
    """Whether the study begins here and now."""

    def __post_init__(self) -> None:
        if not 0 <= self.slots <= SLOTS_MAX:
            raise ValueError(f"slots must be in [0, {SLOTS_MAX}], got {self.slots}")


@dataclass(frozen=True, slots=True)
class SlotsChanged(Event):
    """This peer executes so many trials of this study at once from now on."""

    slots: int


@dataclass(frozen=True, slots=True)
class TrialReported(Event):
    """A trial executed here reported an epoch; its checkpoint is in the store."""

    report: TrialReport


@dataclass(frozen=True, slots=True)
class TrialFinished(Event):
    """A trial executed here is over."""

    result: TrialResult


@dataclass(frozen=True, slots=True)
class CancelRequested(Event):
    """The user wants the study to end."""


@dataclass(frozen=True, slots=True)
class LeaveRequested(Event):
    """The user wants this peer to leave."""
