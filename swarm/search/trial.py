"""Trials: what is to be tried, what is reported on the way, and what came of it."""

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
"""Most points of a curve: one for each epoch."""
ERROR_LENGTH_MAX = 500


@dataclass(frozen=True)
class Trial:
    """One setting to be tried. Learners consume it, next to the study's spec."""

    study: StudyId
    number: int
    """Counts from 0."""
    model: str
    params: Params
    """Of the model: the searched ones that are active and the fixed ones."""
    term: int
    """Term of the coordinator that asked for it; tells apart trials of two coordinators."""
    coordinator: PeerId

    def __post_init__(self) -> None:
        if self.number < 0 or self.term < 0:
            raise ValueError(f"number and term must be at least 0, got {self.number}, {self.term}")
        check_name("model", self.model)
        check_params("params", self.params)

    @cached_property
    def id(self) -> TrialId:
        """Names the trial: no two differ in anything and share it."""
        return TrialId(digest_of(self)[:TRIAL_ID_LENGTH])

    @property
    def values(self) -> dict[str, Value]:
        """Params by name."""
        return dict(self.params)


@dataclass(frozen=True, slots=True)
class EpochPoint:
    """How a model did after one epoch: of one fold, or the mean of folds that go side by side."""

    epoch: int
    """Counts from 1."""
    value: float
    """The study's objective on the held-out examples; `nan` never."""
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
    """What a learner tells after an epoch. Within a trial (fold, epoch) only goes up."""

    trial: TrialId
    point: EpochPoint
    checkpoint: BlobRef | None = None
    """All that is needed to go on after this epoch, on any peer."""
    peer: PeerId = NOBODY
    """Who executes the trial; filled in by its peer."""

    def __post_init__(self) -> None:
        check_trial_id(self.trial)


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What came of a trial. Learners make it; the first one of a trial that is recorded counts."""

    trial: TrialId
    state: str
    """`complete`, `pruned` (told to stop; the value is the last reported) or `failed`."""
    value: float | None
    """The objective, mean over the folds; None if failed."""
    duration_s: float
    """Seconds of execution on the peer that finished it."""
    fold_values: tuple[float, ...] = ()
    curve: tuple[EpochPoint, ...] = ()
    """Means of the folds, one point an epoch, also those before a checkpoint."""
    error: str = ""
    """Why it failed, one line."""
    peer: PeerId = NOBODY
    """Who executed it; filled in by its peer."""

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
    """The result of a trial that could not be carried through."""
    line = " ".join(error.split())[:ERROR_LENGTH_MAX] or "no reason given"
    return TrialResult(trial, FAILED, None, duration_s, error=line, peer=peer)


def check_trial_id(trial: str) -> None:
    """Check that `trial` is a well-formed `TrialId`.

    Raises:
        ValueError: It is not.
    """
    if len(trial) != TRIAL_ID_LENGTH or set(trial) - set("0123456789abcdef"):
        raise ValueError(
            f"trial must be {TRIAL_ID_LENGTH} hexadecimal characters, got {trial!r:.40}"
        )
