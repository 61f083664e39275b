"""What a learner can be asked, and what it answers: plain records that cross the worker's pipe."""

from dataclasses import dataclass
from typing import Literal

from swarm.core.blobs import BlobRef
from swarm.core.session import SessionSpec
from swarm.federation.effects import Rejection

Phase = Literal["preparing", "downloading", "evaluating", "training"]


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Where this peer's examples come from, and which part of them is its own."""

    dataset: str
    """Name of the data set; see `swarm.learning.datasets`."""
    data_path: str | None = None
    """Own `.npz` file; required by, and read only for, the data set `own`."""
    data_dir: str | None = None
    """Folder that may hold `cifar-10-batches-bin`."""
    cache_dir: str = ""
    """Folder for downloaded and generated data."""
    partition_index: int = 0
    """Which part of the training and test examples, counted from 0."""
    partition_count: int = 1

    def __post_init__(self) -> None:
        if self.partition_count < 1:
            raise ValueError(f"partition_count must be at least 1, got {self.partition_count}")
        if not 0 <= self.partition_index < self.partition_count:
            raise ValueError(
                f"partition_index must be in 0..{self.partition_count - 1}, "
                f"got {self.partition_index}"
            )
        if self.dataset == "own" and not self.data_path:
            raise ValueError("data set 'own' needs data_path, the path of an .npz file")


@dataclass(frozen=True, slots=True)
class Initialise:
    """Build the session's model and read this peer's part of the data. Comes first."""

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
    """What to call the data wherever its numbers appear."""
    stand_in: bool
    """Whether generated data stands in for what was asked for."""
    num_train: int
    num_test: int
    num_parameters: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good weights are on this peer's test shard."""

    accuracy: float
    loss: float
    num_examples: int


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
    """Counts from 1; decides the learning rate and the shuffling."""
    output_dir: str


@dataclass(frozen=True, slots=True)
class Trained:
    """The weights after local training."""

    path: str
    blob: BlobRef
    num_examples: int
    duration_s: float
    """Seconds for the whole job, evaluation included."""
    train_accuracy: float
    """Running accuracy over the last local epoch; the weights changed while it was taken."""
    train_loss: float
    evaluation: Evaluation
    """Of the base weights, before training."""


@dataclass(frozen=True, slots=True)
class EvaluateWeights:
    """Evaluate a weights file on the test shard; answered by an `Evaluation`."""

    path: str


@dataclass(frozen=True, slots=True)
class CombineInput:
    """One member's weights."""

    name: str
    """Returned in a `Rejection`; tells the inputs apart."""
    path: str
    weight: float
    """Examples behind it; those of a stale contribution are discounted."""
    stale_base_path: str | None = None
    """Older base it was trained from: its update is applied to this round's base instead."""

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            raise ValueError(f"weight must be a positive number, got {self.weight}")


@dataclass(frozen=True, slots=True)
class MergeInput:
    """Weights of another lineage, to be added once the members' are combined."""

    name: str
    path: str
    share: float
    """In (0, 1]: how much of the difference between them and the base is added."""

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
    """The `.keras` file is there."""

    path: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the current job is."""

    phase: Phase
    fraction: float
    """In [0, 1], of this phase."""
    train_accuracy: float | None = None
    train_loss: float | None = None
    text: str = ""


Job = Initialise | CreateWeights | Train | EvaluateWeights | Combine | Export
Reply = Initialised | WeightsWritten | Trained | Evaluation | Combined | Exported
