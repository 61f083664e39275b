"""What a trial is asked, and its answers: plain records that cross the worker's pipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from swarm.core.blobs import BlobRef
from swarm.learning.estimators.hyperparameters import Value
from swarm.learning.estimators.table_source import TableSource
from swarm.search.study import EPOCHS_MAX, FOLDS_MAX


@dataclass(frozen=True, slots=True)
class TrialTask:
    """One trial: train a model with these hyperparameters and score it."""

    model: str
    """A name of `swarm.learning.estimators`, or `module:function`."""
    params: Mapping[str, Value]
    data: TableSource
    objective: str
    """A name of `swarm.learning.estimators.objectives`."""
    folds: int = 3
    """Number of cross-validation folds; 1 holds out a quarter of the examples instead."""
    epochs: int = 1
    """Passes over the data, for models that train in epochs; `params` may override it."""
    seed: int = 0
    """Decides folds, initial weights and the order of examples."""
    resume_path: str | None = None
    """A checkpoint of this trial to resume from."""
    checkpoint_dir: str | None = None
    """Folder for checkpoints; None means that none are written."""
    checkpoint_every: int = 1
    """Epochs between two checkpoints."""
    allow_code: bool = False
    """Whether a model that is a `module:function` may run here."""

    def __post_init__(self) -> None:
        for name, value, most in (
            ("folds", self.folds, FOLDS_MAX),
            ("epochs", self.epochs, EPOCHS_MAX),
            ("checkpoint_every", self.checkpoint_every, EPOCHS_MAX),
        ):
            if not 1 <= value <= most:
                raise ValueError(f"{name} must be in 1..{most}, got {value}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file from which the trial can be resumed, and the digest and size of its bytes."""

    path: str
    blob: BlobRef


@dataclass(frozen=True, slots=True)
class EpochReport:
    """A trial after an epoch of all its folds."""

    epoch: int
    """Counted from 1."""
    value: float
    """Mean of the objective over the folds; finite."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Other metrics, by name: `accuracy`, `log_loss`, `train_loss` ..."""
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """How a trial ended: with a value, or with an error."""

    value: float | None
    """Mean of the objective over the folds after the last epoch; None if there is an error."""
    metrics: Mapping[str, float]
    fold_values: tuple[float, ...]
    """The objective of each fold."""
    epochs: int
    """Number of finished epochs, including those before it was resumed."""
    duration_s: float
    error: str | None = None
    """What went wrong, in words; None if the trial has a value."""
    stopped: bool = False
    """Whether it was stopped early; then `value` is that of the last finished epoch."""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.error is None):
            raise ValueError(
                f"an outcome has a value or an error, got {self.value} and {self.error!r}"
            )
