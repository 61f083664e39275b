"""What a learner can be asked, and its answers: plain records that cross the worker's pipe."""

from dataclasses import dataclass

from swarm.core.blobs import BlobRef
from swarm.core.data_summary import DataSummary
from swarm.core.session import SessionSpec
from swarm.federation.effects import Finding, Rejection
from swarm.learning.data_config import DataConfig
from swarm.learning.progress import Evaluation


@dataclass(frozen=True, slots=True)
class Initialise:
    """Build the session's model and read the peer's part of the data. This job comes first."""

    spec: SessionSpec
    data: DataConfig
    allow_code: bool = False
    """Whether `module:function` models and Lambda layers may run; otherwise Keras safe mode."""
    model_path: str | None = None
    """The `.keras` file behind model `file`."""


@dataclass(frozen=True, slots=True)
class Initialised:
    """The learner is ready."""

    dataset_label: str
    """The data set's name wherever its numbers appear."""
    stand_in: bool
    """Whether generated data replaces the data set that was asked for."""
    num_train: int
    num_test: int
    num_parameters: int
    threads: int = 1
    """Threads that train."""
    gpus: tuple[str, ...] = ()
    """Names of the GPUs that train."""
    notes: tuple[str, ...] = ()
    """What was decided about data and model, a line each."""
    data: DataSummary | None = None
    """What the training inputs are like; None if they are no single array of numbers."""
    advice: tuple[str, ...] = ()
    """What the user should know or change, a line each."""
    fingerprint: str = ""
    """Digest of this peer's own data."""
    finding: Finding | None = None
    """What is unusual about the data."""


@dataclass(frozen=True, slots=True)
class CreateWeights:
    """Write the session's initial weights, made from its seed, to a new file in a folder."""

    output_dir: str


@dataclass(frozen=True, slots=True)
class WeightsWritten:
    """A weights file was written; its owner may move it."""

    path: str
    blob: BlobRef


@dataclass(frozen=True, slots=True)
class Train:
    """Evaluate the base weights on the test shard, then train them on the training part."""

    base_path: str
    round_number: int
    """Counts from 1; decides the learning rate and the seeds of layers."""
    output_dir: str
    position: int | None = None
    """Where the last training ended in the peer's data, so that this one goes on there. None if
    that is unknown, as after a restart: it begins a new pass, chosen by the round."""
    attempt: int = 0
    """Failures before it: each attempt goes through the examples in another order."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The weights after local training."""

    path: str
    blob: BlobRef
    num_examples: int
    """The contribution's weight in the mean: examples really used; see `RoundBatches.weight`."""
    position: int
    """Where this training ended in the peer's data."""
    duration_s: float
    """Seconds for the whole job, evaluation included."""
    train_accuracy: float | None
    """Running accuracy over the last local epoch; the weights changed while it was taken."""
    train_loss: float | None
    evaluation: Evaluation | None
    """Of the base weights, before training; None if a user's own loop did not measure them."""
    finding: Finding | None = None
    """Why the model may not learn."""


@dataclass(frozen=True, slots=True)
class EvaluateWeights:
    """Evaluate a weights file on the test shard; answered by an `Evaluation`."""

    path: str


@dataclass(frozen=True, slots=True)
class CombineInput:
    """One member's weights."""

    name: str
    """Identifies the input in a `Rejection`."""
    path: str
    weight: float
    """Number of examples behind it; discounted for a stale contribution."""
    stale_base_path: str | None = None
    """Base of a stale contribution; its update is applied to this round's base instead."""

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            raise ValueError(f"weight must be a positive number, got {self.weight}")


@dataclass(frozen=True, slots=True)
class MergeInput:
    """Weights of another lineage, added after the members' weights are combined."""

    name: str
    path: str
    share: float
    """In (0, 1]: the part of their difference from the base that is added."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share must be in (0, 1], got {self.share}")


@dataclass(frozen=True, slots=True)
class Combine:
    """Combine members' weights, in the order given."""

    base_path: str
    inputs: tuple[CombineInput, ...]
    output_dir: str
    merge: MergeInput | None = None

    def __post_init__(self) -> None:
        names = [given.name for given in self.inputs]
        if len(set(names)) < len(names):
            raise ValueError(f"names of inputs must differ, got {', '.join(names)}")


@dataclass(frozen=True, slots=True)
class Combined:
    """A cluster's aggregate."""

    path: str
    blob: BlobRef
    rejected: tuple[Rejection, ...]
    """Inputs, and the merge, that failed a gate and were left out."""


@dataclass(frozen=True, slots=True)
class Export:
    """Write the model with the given weights as a `.keras` file."""

    weights_path: str
    keras_path: str


@dataclass(frozen=True, slots=True)
class Exported:
    """The `.keras` file was written."""

    path: str


Job = Initialise | CreateWeights | Train | EvaluateWeights | Combine | Export
Reply = Initialised | WeightsWritten | Trained | Evaluation | Combined | Exported
