"""Requests of the ensemble's machines to their driver (effects), and the driver's events.

`Member` is one member's part: it fits, has its model scored, scores others, answers.
`Asker` is an asker's part: it finds members, sends questions, and says which answers count.
"""

from dataclasses import dataclass

from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect, Event
from swarm.ensemble.messages import Payload
from swarm.ensemble.records import (
    NO_DRIFT,
    Comparison,
    Drift,
    ModelRecord,
    Moments,
    RefusedModel,
    Residuals,
    Score,
)

# -- effects of a member


@dataclass(frozen=True, slots=True)
class Fit(Effect):
    """Fit a model on all rows here; replaces no model.

    Answered by any number of `FitProgressed`, then `Fitted` or `FitFailed`.
    """

    job: int


@dataclass(frozen=True, slots=True)
class Serve(Effect):
    """Have exactly these versions ready to answer: own ones, and kept copies of others'.

    Answered by nothing: a `Predict` for one of them waits until it is loaded.
    """

    champion: Digest | None
    challenger: Digest | None
    copies: tuple[ModelRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoreModel(Effect):
    """Score another member's model, whose file is in the store.

    Answered by `Scored` or `NotScored`.
    """

    owner: PeerId
    model: ModelRecord


@dataclass(frozen=True, slots=True)
class ShareRows(Effect):
    """Encode this member's validation rows, without targets, to score a model that stays at home.

    The rows and their targets are kept until `ScoreAnswers` or the next `ShareRows` for this
    owner. Answered by `RowsShared` or `NotScored`.
    """

    owner: PeerId
    model: ModelRecord


@dataclass(frozen=True, slots=True)
class ScoreAnswers(Effect):
    """Score answers to the rows that the last `ShareRows` for this owner encoded.

    Answered by `Scored` or `NotScored`.
    """

    owner: PeerId
    model: ModelRecord
    answers: Payload
    """Larger ones are in the store."""


@dataclass(frozen=True, slots=True)
class Summarise(Effect):
    """Compute second moments, and residuals of the combination; answered by `Summarised`.

    All models were scored here before, so their answers to the validation rows are at hand.
    """

    models: tuple[tuple[PeerId, Digest], ...]
    """Owners and versions, in order."""
    scores: tuple[Score, ...]
    """All members' scores of these models: the combination's weights come from them."""


@dataclass(frozen=True, slots=True)
class Compare(Effect):
    """Compare champion and challenger on validation and recent rows; answered by `Compared`."""

    champion: Digest
    challenger: Digest


@dataclass(frozen=True, slots=True)
class Predict(Effect):
    """Answer rows with one version; answered by exactly one `Predicted` or `NotPredicted`.

    Larger rows are in the store.
    """

    asker: PeerId
    number: int
    owner: PeerId
    version: Digest
    rows: Payload
    shadow: Digest | None = None
    """A challenger that answers too, in the shadow: recorded, not sent."""


@dataclass(frozen=True, slots=True)
class SaveMember(Effect):
    """Store what must survive a restart, before anything that follows is sent."""

    card: int
    champion: ModelRecord | None
    challenger: ModelRecord | None
    previous: ModelRecord | None
    orders: tuple[tuple[PeerId, int], ...] = ()
    """The greatest order to fit that was obeyed, of each sender."""
    scores: tuple[Score, ...] = ()
    """Out-of-fold scores of these models."""


@dataclass(frozen=True, slots=True)
class Audit(Effect):
    """Write one line of the audit log: which peer asked for how many rows, and what came of it."""

    asker: PeerId
    num_rows: int
    outcome: str
    """`answered`, `late`, or the reason of a refusal."""


@dataclass(frozen=True, slots=True)
class Note(Effect):
    """A message for the user."""

    kind: str
    text: str


# -- events of a member


@dataclass(frozen=True, slots=True)
class MemberStarted(Event):
    """The machine's life begins; comes first. The fields are what `SaveMember` stored."""

    num_rows: int
    card: int = 0
    champion: ModelRecord | None = None
    challenger: ModelRecord | None = None
    previous: ModelRecord | None = None
    orders: tuple[tuple[PeerId, int], ...] = ()
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True)
class FitProgressed(Event):
    """This share of a fit is done."""

    job: int
    share: float


@dataclass(frozen=True, slots=True)
class Fitted(Event):
    """A fit is over: the model is in the folder, and in the store unless it stays at home."""

    job: int
    model: ModelRecord
    score: Score
    """Out of fold, on this member's own rows."""


@dataclass(frozen=True, slots=True)
class FitFailed(Event):
    """A fit failed."""

    job: int
    reason: str


@dataclass(frozen=True, slots=True)
class RowsShared(Event):
    """Validation rows of this member, for the owner of a model that stays at home."""

    owner: PeerId
    version: Digest
    rows: Payload
    """Larger ones are in the store."""


@dataclass(frozen=True, slots=True)
class Scored(Event):
    """Another member's model was scored here."""

    score: Score


@dataclass(frozen=True, slots=True)
class NotScored(Event):
    """Another member's model was refused, or could not be scored."""

    refusal: RefusedModel


@dataclass(frozen=True, slots=True)
class Summarised(Event):
    """Answers `Summarise`; either is None where it could not be computed."""

    moments: Moments | None
    residuals: Residuals | None


@dataclass(frozen=True, slots=True)
class Compared(Event):
    """Champion and challenger as they stand."""

    champion: Digest
    challenger: Digest
    comparison: Comparison | None
    """None if it could not be computed; it is asked for again later."""


@dataclass(frozen=True, slots=True)
class Predicted(Event):
    """Rows were answered."""

    asker: PeerId
    number: int
    owner: PeerId
    version: Digest
    answers: Payload
    num_shadow: int = 0
    """Rows that the challenger answered too."""
    disagreement: float = 0.0
    """Mean absolute difference of its answers to these rows."""


@dataclass(frozen=True, slots=True)
class NotPredicted(Event):
    """Rows could not be answered."""

    asker: PeerId
    number: int
    owner: PeerId
    reason: str
    """One of `swarm.ensemble.messages.REFUSALS`."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RowsChanged(Event):
    """Labelled rows came to this member, or drift was measured."""

    num_rows: int
    drift: Drift = NO_DRIFT


@dataclass(frozen=True, slots=True)
class FitRequested(Event):
    """The user wants a fit, here or at all members."""

    everyone: bool = False


@dataclass(frozen=True, slots=True)
class PromoteRequested(Event):
    """The user wants the challenger to answer from now on."""


@dataclass(frozen=True, slots=True)
class RollbackRequested(Event):
    """The user wants the previous model back."""


@dataclass(frozen=True, slots=True)
class LeaveRequested(Event):
    """The user wants this peer to leave."""


# -- effects of an asker


@dataclass(frozen=True, slots=True)
class CountedAnswer:
    """One member's answer that counts."""

    owner: PeerId
    version: Digest
    answers: Payload
    sender: PeerId
    """Another peer than the owner if it answered with a copy."""


@dataclass(frozen=True, slots=True)
class Combine(Effect):
    """A question is over: combine these answers, which reach the quorum."""

    number: int
    answers: tuple[CountedAnswer, ...]
    """One for each owner, in the order of their ids; those of members that lost their weight are
    among them, to be judged."""
    missing: tuple[tuple[PeerId, str], ...]
    """Members that did not answer, and why, in words. Lost ones are among them."""
    num_needed: int = 1
    """The quorum: answers that had to come of the members present when the question was asked."""


@dataclass(frozen=True, slots=True)
class QuestionFailed(Effect):
    """A question is over without a quorum."""

    number: int
    missing: tuple[tuple[PeerId, str], ...]
    num_answers: int
    """Answers that count for the quorum."""
    num_needed: int
    reason: str = ""
    """Why nothing was asked, in words; empty if members were asked."""


# -- events of an asker


@dataclass(frozen=True, slots=True)
class AskerStarted(Event):
    """The machine's life begins; comes first."""


@dataclass(frozen=True, slots=True)
class AskRequested(Event):
    """The user asks; ends with `Combine` or `QuestionFailed` of this number."""

    number: int
    rows: Payload
    within_s: float = 0.0
    """Another deadline than the spec's; 0 for the spec's."""


@dataclass(frozen=True, slots=True)
class AnswersJudged(Event):
    """How the answers of a question compare with each other or with the truth.

    The driver judges after it has combined: `off` counts the rows where a member's answer was not
    finite, or far from the others' combination, or from the truth where that is known.
    """

    verdicts: tuple[tuple[PeerId, int, int], ...]
    """Owner, rows judged, rows off."""
