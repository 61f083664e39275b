"""Requests of a search machine to its driver (effects), and the driver's events."""

from dataclasses import dataclass

from swarm.core.blobs import BlobRef
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event
from swarm.search.messages import SLOTS_MAX
from swarm.search.study_ledger import Entry
from swarm.search.trial import Trial, TrialId, TrialReport, TrialResult


@dataclass(frozen=True, slots=True)
class RunTrial(Effect):
    """Execute a trial when a slot is free, in the order of these effects.

    Answered by any number of `TrialReported` and one `TrialFinished`, unless it is dropped.
    """

    trial: Trial
    checkpoint: BlobRef | None = None
    """Resume from here; the blob is in the store."""


@dataclass(frozen=True, slots=True)
class PruneTrial(Effect):
    """End a trial after its current epoch; its result is `pruned`."""

    trial: TrialId


@dataclass(frozen=True, slots=True)
class DropTrial(Effect):
    """End a trial, or forget it if it waits; it needs no result."""

    trial: TrialId


@dataclass(frozen=True, slots=True)
class SaveEntries(Effect):
    """Append entries to the stored ledger before anything that follows is sent."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class SaveTerm(Effect):
    """Store the newest term, so that no peer coordinates twice in one term."""

    term: int


@dataclass(frozen=True, slots=True)
class Note(Effect):
    """A message for the user."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The machine's life begins; comes first."""

    slots: int = 0
    entries: tuple[Entry, ...] = ()
    """Entries of the stored ledger."""
    term: int = 0
    """The newest stored term."""
    contact: PeerId | None = None
    """The peer that offered the study; None for its submitter, and after a restart."""
    coordinator: PeerId | None = None
    """The coordinator that the offer named."""
    submits: bool = False
    """Whether the study begins here and now."""

    def __post_init__(self) -> None:
        if not 0 <= self.slots <= SLOTS_MAX:
            raise ValueError(f"slots must be in [0, {SLOTS_MAX}], got {self.slots}")


@dataclass(frozen=True, slots=True)
class SlotsChanged(Event):
    """From now on this peer executes at most this number of trials of the study at once."""

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
