"""Messages between a peer and the child processes of a member of an ensemble."""

from dataclasses import dataclass

from swarm.core.ids import Digest, PeerId
from swarm.ensemble.records import (
    Comparison,
    Drift,
    ModelRecord,
    Moments,
    RefusedModel,
    Residuals,
    Score,
)
from swarm.ensemble.spec import EnsembleSpec
from swarm.peer.processes.framing import Framing

# -- jobs


@dataclass(frozen=True, slots=True)
class Open:
    """Get ready for this ensemble; comes first in each life of a process."""

    spec: EnsembleSpec
    folder: str
    """The member's folder."""
    owner: PeerId
    """This member."""
    learner: str
    allow_code: bool
    is_for_others: bool = False
    """Whether models of other members are loaded; of code, they may have only this learner."""


@dataclass(frozen=True, slots=True)
class FitModel:
    """Fit a model on all rows here; answered by `FittedModel`."""

    keep_model: bool
    """Whether the model stays at home: its record has no blob."""
    now_s: float
    """Seconds since 1970, for the record."""


@dataclass(frozen=True, slots=True)
class ScoreOf:
    """Score another member's model; answered by `ScoreOrRefusal`."""

    owner: PeerId
    model: ModelRecord
    path: str


@dataclass(frozen=True, slots=True)
class ShareRowsOf:
    """Encode validation rows for the owner of a model that stays at home; see `SharedRows`."""

    owner: PeerId
    model: ModelRecord
    rows_path: str
    """Where to write them."""


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """Score answers to the rows that were shared with an owner; answered by `ScoreOrRefusal`."""

    owner: PeerId
    model: ModelRecord
    answers: bytes
    """As `encode_answers` made them; empty if they are in a file."""
    path: str


@dataclass(frozen=True, slots=True)
class SummariseModels:
    """Compute moments and residuals; answered by `Summary`."""

    models: tuple[tuple[PeerId, Digest], ...]
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class CompareModels:
    """Compare two models of this member; answered by `Comparison`."""

    champion: ModelRecord
    challenger: ModelRecord


@dataclass(frozen=True, slots=True)
class AddRows:
    """Append the rows of a file to this member's; answered by `RowsAdded`."""

    path: str
    label: str
    """The file's name for the user."""


@dataclass(frozen=True, slots=True)
class MeasureDrift:
    """Compare rows that came after a fit with those before; answered by `Drift`."""

    model: ModelRecord
    threshold: float


@dataclass(frozen=True, slots=True)
class LoadModel:
    """Have a model ready to answer; answered by `Ready`."""

    model: ModelRecord
    path: str


@dataclass(frozen=True, slots=True)
class KeepOnly:
    """Forget all models but these; answered by `Ready`."""

    versions: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class PredictRows:
    """Answer rows with a model that is or will be loaded; answered by `Answered`."""

    version: Digest
    rows: bytes
    """As `encode_rows` made them; empty if they are in a file."""
    path: str
    """File of the rows; empty if they ride along."""
    answers_path: str
    """Where to write the answers, if they are too large for a message."""
    num_rows: int
    shadow: Digest | None
    """A model that answers too; answered by `Compared` after `Answered`."""


Job = (
    Open
    | FitModel
    | ScoreOf
    | ShareRowsOf
    | ScoreRows
    | SummariseModels
    | CompareModels
    | AddRows
    | MeasureDrift
    | LoadModel
    | KeepOnly
    | PredictRows
)

# -- replies


@dataclass(frozen=True, slots=True)
class Ready:
    """Done; there is nothing to say."""


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A model was fitted; its file is in the member's folder."""

    model: ModelRecord
    path: str
    score: Score


@dataclass(frozen=True, slots=True)
class ScoreOrRefusal:
    """How a model was scored, or why it was not."""

    score: Score | None
    refusal: RefusedModel | None


@dataclass(frozen=True, slots=True)
class SharedRows:
    """Validation rows were written to the file that was named."""

    num_rows: int
    size_bytes: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class Summary:
    """Moments and residuals; None where they could not be computed."""

    moments: Moments | None
    residuals: Residuals | None


@dataclass(frozen=True, slots=True)
class RowsAdded:
    """What came of a file of rows."""

    num_new: int
    """Rows that it added; 0 if it was added before."""
    num_left_out: int
    """Rows without a target."""
    num_rows: int
    """Rows of this member now."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Rows were answered; a large answer is in a file."""

    answers: bytes
    size_bytes: int
    digest: Digest
    """Of the answers."""
    abstains: str = ""
    """Why the model does not answer these rows; empty if it does."""


Reply = (
    Ready
    | FittedModel
    | ScoreOrRefusal
    | SharedRows
    | Summary
    | Comparison
    | RowsAdded
    | Drift
    | Answered
)

# -- messages


@dataclass(frozen=True, slots=True)
class Request:
    """To the process: do this job."""

    call: int
    job: Job


@dataclass(frozen=True, slots=True)
class Progressed:
    """From the process: this share of a call is done."""

    call: int
    share: float


@dataclass(frozen=True, slots=True)
class Done:
    """From the process: the answer to a call."""

    call: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Failed:
    """From the process: a call ended in this error."""

    call: int
    error_class: str
    message: str


@dataclass(frozen=True, slots=True)
class Shadowed:
    """From the process: a model in the shadow answered the rows of a call as well."""

    call: int
    version: Digest
    num_rows: int
    disagreement: float
    """Mean absolute difference of the two models' answers."""


Message = Request | Progressed | Done | Failed | Shadowed

FRAMING: Framing[Message] = Framing(Message, Job, Reply)
