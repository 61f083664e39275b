"""Trials: the setting to be tried, reports on the way, and the result."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NewType

from swarm.core.blobs import BlobRef
from swarm.core.canonical import digest_of
from swarm.core.ids import PeerId
from swarm.search.study import EPOCHS_MAX, FOLDS_MAX, NOBODY, StudyId
from swarm.search.values import Params, Value, check_name, check_params

TrialId = NewType("TrialId", str)
"""First 16 characters of the digest of a Trial."""
TRIAL_ID_LENGTH = 16

COMPLETE, PRUNED, FAILED = STATES = ("complete", "pruned", "failed")
CURVE_MAX = EPOCHS_MAX
"""Most points of a curve: one per epoch."""
ERROR_LENGTH_MAX = 500


@dataclass(frozen=True)
class Trial:
    """One setting to be tried, by the rules of the study's spec."""

    study: StudyId
    number: int
    """Counts from 0."""
    model: str
    params: Params
    """Hyperparameters of the model: the active searched ones and the fixed ones."""
    term: int
    """Term of the coordinator that asked for it; distinguishes trials of two coordinators."""
    coordinator: PeerId

    def __post_init__(self) -> None:
        if self.number < 0 or self.term < 0:
            raise ValueError(f"number and term must be at least 0, got {self.number}, {self.term}")
        check_name("model", self.model)
        check_params("params", self.params)

    @cached_property
    def id(self) -> TrialId:
        """Identifies the trial: trials that differ in any field have different ids."""
        return TrialId(digest_of(self)[:TRIAL_ID_LENGTH])

    @property
    def values(self) -> dict[str, Value]:
        """Params by name."""
        return dict(self.params)


@dataclass(frozen=True, slots=True)
class EpochPoint:
    """A model's measures after one epoch: of one fold, or the mean of folds trained together."""

    epoch: int
    """Counts from 1."""
    value: float
    """The study's objective on the held-out examples; never `nan`."""
    train_loss: float | None = None
    validation_loss: float | None = None
    fold: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.epoch <= EPOCHS_MAX:
            raise ValueError(f"epoch must be in [1, {EPOCHS_MAX}], got {self.epoch}")
        if not 0 <= self.fold < FOLDS_MAX:
            raise ValueError(f"fold must be in [0, {FOLDS_MAX}), got {self.fold}")
        for name in ("value", "train_loss", "validation_loss"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{name} must be finite, got {number}")


@dataclass(frozen=True, slots=True)
class TrialReport:
    """A report of one epoch. Within a trial, (fold, epoch) only goes up."""

    trial: TrialId
    point: EpochPoint
    checkpoint: BlobRef | None = None
    """The state needed to resume after this epoch, on any peer."""
    peer: PeerId = NOBODY
    """The peer that executes the trial; it fills this in."""

    def __post_init__(self) -> None:
        check_trial_id(self.trial)


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The outcome of a trial; the first result that is recorded counts."""

    trial: TrialId
    state: str
    """`complete`, `pruned` (stopped early; the value is the last reported) or `failed`."""
    value: float | None
    """The objective's mean over the folds; None if failed."""
    duration_s: float
    """Seconds of execution on the peer that finished it."""
    fold_values: tuple[float, ...] = ()
    curve: tuple[EpochPoint, ...] = ()
    """Means over the folds, one point per epoch, including epochs before a checkpoint."""
    error: str = ""
    """The reason of a failure, in one line."""
    peer: PeerId = NOBODY
    """The peer that executed it; it fills this in."""

    def __post_init__(self) -> None:
        check_trial_id(self.trial)
        if self.state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}, got {self.state!r:.40}")
        if (self.state == FAILED) != (self.value is None):
            raise ValueError("value must be None exactly when state is failed")
        if (self.state == FAILED) != bool(self.error):
            raise ValueError("error must be given exactly when state is failed")
        if len(self.error) > ERROR_LENGTH_MAX:
            raise ValueError(f"error must have at most {ERROR_LENGTH_MAX} characters")
        if len(self.fold_values) > FOLDS_MAX or len(self.curve) > CURVE_MAX:
            raise ValueError(f"at most {FOLDS_MAX} fold_values and {CURVE_MAX} points of a curve")
        numbers = (*self.fold_values, self.duration_s, *filter(None, (self.value,)))
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError("value, fold_values and duration_s must be finite")
        if self.duration_s < 0:
            raise ValueError(f"duration_s must be at least 0, got {self.duration_s}")


def failed(trial: TrialId, error: str, duration_s: float, peer: PeerId = NOBODY) -> TrialResult:
    """The result of a trial that failed."""
    line = " ".join(error.split())[:ERROR_LENGTH_MAX] or "no reason given"
    return TrialResult(trial, FAILED, None, duration_s, error=line, peer=peer)


def check_trial_id(trial: str) -> None:
    """Check that `trial` is a well-formed `TrialId`.

    Raises:
        ValueError: It is not well-formed.
    """
    if len(trial) != TRIAL_ID_LENGTH or set(trial) - set("0123456789abcdef"):
        raise ValueError(
            f"trial must be {TRIAL_ID_LENGTH} hexadecimal characters, got {trial!r:.40}"
        )
