"""What federation asks its driver to do, and the events that answer."""

from dataclasses import dataclass

from swarm.commanding.commands import Command
from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobArrived
from swarm.core.ids import ClusterId, Digest, PeerId, RoundNumber
from swarm.core.machine import Effect, Event
from swarm.federation.ledger_entries import LedgerEntry
from swarm.federation.messages import Contribution
from swarm.federation.records import GlobalModel, Metrics


@dataclass(frozen=True, slots=True)
class CreateWeights(Effect):
    """Make the initial weights; answered by `WeightsCreated`."""


@dataclass(frozen=True, slots=True)
class WeightsCreated(Event):
    """Initial weights are in the store."""

    blob: BlobRef


@dataclass(frozen=True, slots=True)
class Train(Effect):
    """Train on from a head's weights; replaces training still under way.

    Answered by `TrainingFinished` or `TrainingFailed`.
    """

    base: Digest
    blob: BlobRef
    round: RoundNumber


@dataclass(frozen=True, slots=True)
class TrainingFinished(Event):
    """Trained weights are in the store."""

    base: Digest
    blob: BlobRef
    num_examples: int
    duration_s: float
    metrics: Metrics | None
    """How the base did on this peer's test shard."""


@dataclass(frozen=True, slots=True)
class TrainingFailed(Event):
    """The worker could not train from this base, or died."""

    base: Digest
    reason: str


@dataclass(frozen=True, slots=True)
class Evaluate(Effect):
    """Measure a head on this peer's test shard; answered by `EvaluationFinished`."""

    head: Digest
    blob: BlobRef
    round: RoundNumber
    """Of the head."""


@dataclass(frozen=True, slots=True)
class EvaluationFinished(Event):
    """How `head` did on this peer's test shard."""

    head: Digest
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class CombineInput:
    """One member's weights."""

    name: str
    """Tells the inputs of one combination apart; a rejection names it."""
    blob: BlobRef
    weight: float
    """Examples behind it, the stale ones discounted."""
    stale_base: BlobRef | None = None
    """The older weights it was trained from; its update counts from those."""


@dataclass(frozen=True, slots=True)
class MergeInput:
    """The weights of a branch, to be added once the inputs are averaged."""

    name: str
    blob: BlobRef
    share: float
    """Its part of the examples since the lineages parted, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Combine(Effect):
    """Gate and average a cluster's weights; answered by `Combined` or `CombineFailed`.

    With base weights H: the weighted mean over the inputs of w, or of H + (w - stale_base), plus
    share * (B - H) for the branch B.
    """

    base: Digest
    base_blob: BlobRef
    cluster: ClusterId
    inputs: tuple[CombineInput, ...]
    merge: MergeInput | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """An input that failed a gate."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Combined(Event):
    """The cluster's combined weights are in the store."""

    base: Digest
    cluster: ClusterId
    blob: BlobRef
    rejected: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True)
class CombineFailed(Event):
    """No input passed the gates, or the worker died."""

    base: Digest
    cluster: ClusterId
    reason: str
    rejected: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True)
class SaveHead(Effect):
    """The head was adopted: remember it across restarts."""

    head: GlobalModel


@dataclass(frozen=True, slots=True)
class SaveContribution(Effect):
    """Remember our contribution across restarts, before it is announced."""

    contribution: Contribution


@dataclass(frozen=True, slots=True)
class Note(Effect):
    """Something a person may want to know."""

    kind: str
    """`lost`, `left`, `head`, `takeover`, `rejected`, `partition`, `info`, and others."""
    text: str
    about: PeerId | None = None
    """The peer it is about, if it is about one."""


@dataclass(frozen=True, slots=True)
class SaveLedger(Effect):
    """Remember these entries, and no others, across restarts."""

    entries: tuple[LedgerEntry, ...]


@dataclass(frozen=True, slots=True)
class SaveCommands(Effect):
    """Remember these operators' commands, and no others, across restarts."""

    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Leave(Effect):
    """End this peer; answered by `LeaveRequested`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The peer is up; carries what an earlier life of it left behind."""

    heads: tuple[GlobalModel, ...] = ()
    """Adopted heads, oldest first; the last one's blob is in the store."""
    contribution: Contribution | None = None
    """The newest own contribution, its blob in the store."""
    offered_by: tuple[PeerId, ...] = ()
    """Peers that offered the session: their newest head is believed if we hold none."""
    entries: tuple[LedgerEntry, ...] = ()
    """The ledger."""
    commands: tuple[Command, ...] = ()
    """Operators' commands that were obeyed."""
    adopted_unix_s: tuple[float, ...] = ()
    """When each of the heads was adopted; 0 where that is not known."""
    unix_s: float = 0.0
    """Seconds since 1970 when this happened; the machine counts on from here."""


@dataclass(frozen=True, slots=True)
class LearnerReady(Event):
    """The worker has data and model: from now on this peer can take part."""


@dataclass(frozen=True, slots=True)
class LeaveRequested(Event):
    """This peer leaves: the user wants it, or it cannot go on."""

    reason: str = ""
    """Told to the others: `disk` if the disk failed; empty if the user wants it."""


def brings(event: Event) -> BlobRef | None:
    """The blob that is in the store because of what an event tells; None if there is none.

    Until the event was handled nobody but its sender knows that the blob is wanted.
    """
    match event:
        case BlobArrived(blob):
            return blob
        case WeightsCreated() | TrainingFinished() | Combined():
            return event.blob
        case _:
            return None
