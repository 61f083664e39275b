"""Messages between members and askers, accepted only from senders that libp2p authenticated."""

import math
from dataclasses import dataclass

from swarm.core.blobs import INLINE_SIZE_MAX, BlobRef
from swarm.core.ids import Digest, PeerId, is_digest
from swarm.core.machine import Event
from swarm.core.message_kinds import MessageKind
from swarm.ensemble.records import (
    MEMBERS_MAX,
    NO_DRIFT,
    TEXT_LENGTH_MAX,
    CombinerRecord,
    Comparison,
    Drift,
    ModelRecord,
    Moments,
    RefusedModel,
    Residuals,
    Score,
)
from swarm.ensemble.spec import EnsembleId, EnsembleSpec

SCORES_MAX = 2 * MEMBERS_MAX
"""Scores in a card: of each member's champion and challenger."""
ROWS_MAX = 100_000
"""Most rows of one question."""
STATES = ("waiting", "fitting", "serving")
"""`waiting`: no model yet; `fitting`: one is being fitted, an earlier one may answer."""
REFUSALS = (
    "busy",
    "budget",
    "not-allowed",
    "no-model",
    "abstains",
    "bad-rows",
    "failed",
    "leaving",
)


@dataclass(frozen=True, slots=True)
class EnsembleQuery(Event):
    """`sender` asks which ensembles exist."""

    sender: PeerId


@dataclass(frozen=True, slots=True)
class EnsembleOffer(Event):
    """`sender` is a member of this ensemble."""

    sender: PeerId
    spec: EnsembleSpec


@dataclass(frozen=True, slots=True)
class MemberHeartbeat(Event):
    """`sender` is a member and alive; its newest card has this number."""

    ensemble: EnsembleId
    sender: PeerId
    card: int

    def __post_init__(self) -> None:
        _check_number("card", self.card)


@dataclass(frozen=True, slots=True)
class CardRequest(Event):
    """`sender` asks for the receiver's newest card."""

    ensemble: EnsembleId
    sender: PeerId


@dataclass(frozen=True, slots=True)
class MemberCard(Event):
    """Everything that a member says of itself; a greater number replaces an earlier card."""

    ensemble: EnsembleId
    sender: PeerId
    number: int
    """Greater in each card of a member, over all its lives."""
    state: str
    """One of `STATES`."""
    progress: float
    """Share of the fit under way, in [0, 1]."""
    num_rows: int
    """Labelled rows that the member has."""
    champion: ModelRecord | None = None
    """The model that answers."""
    challenger: ModelRecord | None = None
    """A refitted model that answers in the shadow."""
    previous: ModelRecord | None = None
    """The model that `rollback` brings back."""
    comparison: Comparison | None = None
    """Of champion and challenger, while there are both."""
    scores: tuple[Score, ...] = ()
    refused: tuple[RefusedModel, ...] = ()
    moments: Moments | None = None
    residuals: Residuals | None = None
    combiner: CombinerRecord | None = None
    """Of the rule `trained`; always None today."""
    drift: Drift = NO_DRIFT
    keeps: tuple[Digest, ...] = ()
    """Versions of other members that this one can answer with."""
    shares_rows: bool = False
    """Whether it agreed to send validation rows to members whose models stay at home."""
    detail: str = ""
    """What the member waits for or could not do, in words."""
    num_fits: int = 0
    """Fits that ended in this life of the member, also those that failed or changed nothing."""

    def __post_init__(self) -> None:
        _check_number("number", self.number)
        if self.state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}, got {self.state!r:.40}")
        if not 0 <= self.progress <= 1:
            raise ValueError(f"progress must be in [0, 1], got {self.progress}")
        _check_number("num_rows", self.num_rows)
        _check_number("num_fits", self.num_fits)
        for name in ("scores", "refused", "keeps"):
            if len(getattr(self, name)) > SCORES_MAX:
                raise ValueError(f"{name} must have at most {SCORES_MAX} entries")
        if len(self.detail) > TEXT_LENGTH_MAX:
            raise ValueError(f"detail must have at most {TEXT_LENGTH_MAX} characters")


@dataclass(frozen=True, slots=True)
class FitOrder(Event):
    """`sender` asks all members to fit now, each on its own rows."""

    ensemble: EnsembleId
    sender: PeerId
    number: int
    """Greater in each order of a sender; an order is obeyed once."""

    def __post_init__(self) -> None:
        _check_number("number", self.number)


@dataclass(frozen=True, slots=True)
class MemberGoodbye(Event):
    """`sender` leaves; its questions under way get no more answers."""

    ensemble: EnsembleId
    sender: PeerId


@dataclass(frozen=True, slots=True)
class Payload:
    """Rows or answers: small ones ride along, larger ones are a blob that the sender holds."""

    num_rows: int
    inline: bytes = b""
    blob: BlobRef | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.num_rows <= ROWS_MAX:
            raise ValueError(f"num_rows must be in [1, {ROWS_MAX}], got {self.num_rows}")
        if bool(self.inline) == (self.blob is not None):
            raise ValueError("exactly one of inline and blob must be given")
        if len(self.inline) > INLINE_SIZE_MAX:
            raise ValueError(f"inline must have at most {INLINE_SIZE_MAX} bytes")


@dataclass(frozen=True, slots=True)
class Question(Event):
    """`sender` asks one member to predict for rows."""

    ensemble: EnsembleId
    sender: PeerId
    number: int
    """Of the sender's questions; an answer names it."""
    owner: PeerId
    """The owner of the model that is to answer: the receiver, or a member whose model it keeps."""
    version: Digest | None
    """Only this version of a kept model may answer; None for the receiver's champion."""
    within_s: float
    """An answer later than this is of no use."""
    rows: Payload

    def __post_init__(self) -> None:
        _check_number("number", self.number)
        if not 0 < self.within_s < math.inf:
            raise ValueError(f"within_s must be a positive number, got {self.within_s}")
        if self.version is not None and not is_digest(self.version):
            raise ValueError("version must be 64 hexadecimal characters")


@dataclass(frozen=True, slots=True)
class Answer(Event):
    """`sender` answers a question, with one version of one model."""

    ensemble: EnsembleId
    sender: PeerId
    number: int
    owner: PeerId
    version: Digest
    answers: Payload
    busy_s: float
    """Seconds between the question's arrival and this answer."""

    def __post_init__(self) -> None:
        _check_number("number", self.number)
        if not is_digest(self.version):
            raise ValueError("version must be 64 hexadecimal characters")
        if not 0 <= self.busy_s < math.inf:
            raise ValueError(f"busy_s must be at least 0, got {self.busy_s}")


@dataclass(frozen=True, slots=True)
class Refusal(Event):
    """`sender` does not answer a question, and says why at once."""

    ensemble: EnsembleId
    sender: PeerId
    number: int
    owner: PeerId
    reason: str
    """One of `REFUSALS`."""
    detail: str = ""

    def __post_init__(self) -> None:
        _check_number("number", self.number)
        if self.reason not in REFUSALS:
            raise ValueError(
                f"reason must be one of {', '.join(REFUSALS)}, got {self.reason!r:.40}"
            )
        if len(self.detail) > TEXT_LENGTH_MAX:
            raise ValueError(f"detail must have at most {TEXT_LENGTH_MAX} characters")


def _check_number(name: str, number: int) -> None:
    if not 0 <= number < 2**63:
        raise ValueError(f"{name} must be in [0, 2**63), got {number}")


MESSAGE_KINDS = (
    MessageKind("ensemble?", EnsembleQuery),
    MessageKind("ensemble", EnsembleOffer),
    MessageKind("member", MemberHeartbeat),
    MessageKind("card?", CardRequest),
    MessageKind("card", MemberCard),
    MessageKind("fit", FitOrder),
    MessageKind("member-leaves", MemberGoodbye),
    MessageKind("question", Question),
    MessageKind("answer", Answer),
    MessageKind("refusal", Refusal),
)
"""How each message travels; see `swarm.core.message_kinds`."""
