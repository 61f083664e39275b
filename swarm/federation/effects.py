"""Effects: what the machine asks its driver to do, and the events that answer."""

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
class Finding:
    """Why a model may not learn, as the learner found it."""

    code: str
    """Names the kind of problem, such as `loss-grows`; equal findings are noted once."""
    text: str
    """The likely cause and the setting to change."""


@dataclass(frozen=True, slots=True)
class Train(Effect):
    """Train from a head's weights; replaces any training under way.

    Answered by `TrainingFinished` or `TrainingFailed`.
    """

    base: Digest
    blob: BlobRef
    round: RoundNumber
    attempt: int = 0
    """Failures before it; each attempt shuffles differently, for the same one would fail again."""


@dataclass(frozen=True, slots=True)
class TrainingFinished(Event):
    """Trained weights are in the store."""

    base: Digest
    blob: BlobRef
    num_examples: int
    duration_s: float
    metrics: Metrics | None
    """How the base did on this peer's test shard."""
    finding: Finding | None = None
    """Why the model may not learn."""


@dataclass(frozen=True, slots=True)
class TrainingProgressed(Event):
    """The training from this base gets on; sent about once a second."""

    base: Digest
    done: float
    """How far it is, up to less than 2; what counts is whether the number grows."""


@dataclass(frozen=True, slots=True)
class TrainingFailed(Event):
    """The worker could not train from this base, or died."""

    base: Digest
    reason: str


@dataclass(frozen=True, slots=True)
class LearnerFailed(Event):
    """The worker failed again and again, in the same way, at work that the session needs."""

    reason: str


@dataclass(frozen=True, slots=True)
class Evaluate(Effect):
    """Measure a head on this peer's test shard; answered by `EvaluationFinished`."""

    head: Digest
    blob: BlobRef
    round: RoundNumber
    """The head's round."""


@dataclass(frozen=True, slots=True)
class EvaluationFinished(Event):
    """How `head` did on this peer's test shard."""

    head: Digest
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class CombineInput:
    """One member's weights."""

    name: str
    """Unique among the inputs of one combination; a rejection names it."""
    blob: BlobRef
    weight: float
    """Examples behind it; discounted if it is stale."""
    stale_base: BlobRef | None = None
    """The older weights from which a stale contribution was trained: its update counts from
    those."""


@dataclass(frozen=True, slots=True)
class MergeInput:
    """The weights of a branch, added after the inputs were averaged."""

    name: str
    blob: BlobRef
    share: float
    """Its part of the examples since the lineages' fork, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Combine(Effect):
    """Gate and average a cluster's weights; answered by `Combined` or `CombineFailed`.

    With base weights H, the result is the weighted mean over the inputs of w, or of H + (w -
    stale_base) for a stale one, plus share * (B - H) for the branch B.
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
    """Remember this peer's contribution across restarts, before it is announced."""

    contribution: Contribution


@dataclass(frozen=True, slots=True)
class Note(Effect):
    """A fact that a person may want to know."""

    kind: str
    """`lost`, `left`, `head`, `takeover`, `rejected`, `failed`, `info`, and others."""
    text: str
    about: PeerId | None = None
    """The peer that the note is about, if any."""


@dataclass(frozen=True, slots=True)
class SaveLedger(Effect):
    """Remember these entries, and no others, across restarts."""

    entries: tuple[LedgerEntry, ...]


@dataclass(frozen=True, slots=True)
class SaveCommands(Effect):
    """Remember these operators' commands, and no others, across restarts."""

    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class GiveUp(Effect):
    """End this peer's part in the session: it cannot learn. Answered by `LeaveRequested`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Leave(Effect):
    """End this peer; answered by `LeaveRequested`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The peer is up. The event carries what an earlier life of the peer saved."""

    heads: tuple[GlobalModel, ...] = ()
    """Adopted heads, oldest first; the weights of the last are in the store."""
    contribution: Contribution | None = None
    """The newest own contribution, with its weights in the store."""
    offered_by: tuple[PeerId, ...] = ()
    """Peers that offered the session: their newest head is believed if this peer holds none."""
    entries: tuple[LedgerEntry, ...] = ()
    """The entries of the ledger."""
    commands: tuple[Command, ...] = ()
    """Operators' commands that this peer obeyed."""
    adopted_unix_s: tuple[float, ...] = ()
    """When each of the heads was adopted; 0 if unknown."""
    unix_s: float = 0.0
    """Seconds since 1970 at this event. The machine derives all later times from it."""


@dataclass(frozen=True, slots=True)
class LearnerReady(Event):
    """The worker has data and model: from now on this peer can take part."""

    finding: Finding | None = None
    """What is unusual about the data."""


@dataclass(frozen=True, slots=True)
class LeaveRequested(Event):
    """This peer leaves: the user wants it, or it cannot go on."""

    reason: str = ""
    """Sent to the other peers: `disk` if the disk failed, `training` if it cannot learn, empty if
    the user wants it."""


def brings(event: Event) -> BlobRef | None:
    """The blob that is in the store because of this event, or None.

    Until the machine has handled the event, only its sender knows that the blob is wanted.
    """
    match event:
        case BlobArrived(blob):
            return blob
        case WeightsCreated() | TrainingFinished() | Combined():
            return event.blob
        case _:
            return None
