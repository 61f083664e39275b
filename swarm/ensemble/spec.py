"""EnsembleSpec: what an ensemble predicts and by which rules; immutable, named by its digest."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType

from swarm.core.canonical import digest_of
from swarm.core.columns import Column, check_columns
from swarm.core.ids import PeerId

EnsembleId = NewType("EnsembleId", str)
"""Digest of an EnsembleSpec's canonical encoding."""

NAME_LENGTH_MAX = 64
CLASSES_MAX = 1000
CLASSES_BYTES_MAX = 32 * 1024
"""Bytes of all class names together; the spec travels in one message."""
ENSEMBLE_TASKS = ("classification", "regression")
TRANSFORMS = ("none", "log1p")
METRICS = ("rmse", "rmsle", "log-loss")
COMBINATIONS = ("auto", "mean", "median", "hard", "skill", "stacking", "trained")
"""Rules that combine the members' answers, fixed in advance. `auto` is `skill`: weights 1/MSE^2
for a regression, skill over the base rate for classes. `mean` is the soft vote of classes, and
`hard` the majority of the members' classes."""
_NOBODY = PeerId("")


@dataclass(frozen=True, slots=True)
class EnsembleSpec:
    """One ensemble. Two peers are members of the same ensemble only if their specs are equal."""

    name: str
    task: str
    """One of `ENSEMBLE_TASKS`."""
    columns: tuple[Column, ...] = ()
    """Columns of a table with types, and the target; empty if examples are arrays. Members get
    cells as they are, and prepare them by what they learnt from their own rows."""
    input_shape: tuple[int, ...] = ()
    """Shape of one example that is an array; () for a table."""
    classes: tuple[str, ...] = ()
    """Labels as text, in the order of the probabilities; empty for a regression."""
    transform: str = "none"
    """What is done to the target before fitting: models, answers and residuals are on this scale.
    One of `TRANSFORMS`."""
    metric: str = "rmse"
    """What members are scored by, lower is better. One of `METRICS`. `rmsle` is the root mean
    squared error on the scale of log1p."""
    combination: str = "auto"
    """One of `COMBINATIONS`."""
    deadline_s: float = 2.0
    """Seconds after which a question ends, whatever has come."""
    quorum: float = 0.5
    """Share of the members present that must answer, at least one; else a question fails."""
    keep_models: bool = False
    """Whether members keep each other's models after scoring, to answer for a lost one."""
    distance_max: float = 0.0
    """A member abstains from rows further from its own than this, as a multiple of the 99 %
    quantile of its own rows' distances; 0 means never."""
    seed: int = 0
    founder: PeerId = _NOBODY
    """The peer that proposed the ensemble; filled in then."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= NAME_LENGTH_MAX or not self.name.isprintable():
            raise ValueError(
                f"name must have 1 to {NAME_LENGTH_MAX} printable characters, "
                f"got {self.name!r:.80}"
            )
        for field, choices in _CHOICES.items():
            value = getattr(self, field)
            if value not in choices:
                raise ValueError(f"{field} must be one of {', '.join(choices)}, got {value!r:.40}")
        _check_ranges(self)
        _check_examples(self)
        _check_task(self)

    @property
    def id(self) -> EnsembleId:
        """Digest of the canonical encoding: equal specs have equal ids."""
        return _ensemble_id(self)

    @property
    def num_outputs(self) -> int:
        """Numbers that a member answers for each row: probabilities of classes, or one value."""
        return len(self.classes) or 1


@lru_cache(maxsize=64)
def _ensemble_id(spec: EnsembleSpec) -> EnsembleId:
    return EnsembleId(digest_of(spec))


def _check_ranges(spec: EnsembleSpec) -> None:
    if not 0 < spec.deadline_s < math.inf:
        raise ValueError(f"deadline_s must be a positive number, got {spec.deadline_s}")
    if not 0 < spec.quorum <= 1:
        raise ValueError(f"quorum must be in (0, 1], got {spec.quorum}")
    if not 0 <= spec.distance_max < math.inf:
        raise ValueError(f"distance_max must be at least 0, got {spec.distance_max}")


def _check_examples(spec: EnsembleSpec) -> None:
    if bool(spec.columns) == bool(spec.input_shape):
        raise ValueError("an ensemble must have either columns or input_shape")
    if not all(isinstance(size, int) and size > 0 for size in spec.input_shape):
        raise ValueError(
            f"input_shape must have positive whole numbers as sizes, got {spec.input_shape}"
        )
    check_columns(spec.columns, (sum(column.width for column in spec.columns),))


def _check_task(spec: EnsembleSpec) -> None:
    if spec.task == "regression":
        if spec.classes or spec.metric == "log-loss" or spec.combination == "hard":
            raise ValueError("a regression has no classes, no log-loss and no hard vote")
        if (spec.metric == "rmsle") != (spec.transform == "log1p"):
            raise ValueError("metric must be rmsle exactly when transform is log1p")
        return
    if not 2 <= len(spec.classes) <= CLASSES_MAX or len(set(spec.classes)) < len(spec.classes):
        raise ValueError(
            f"classes must be 2 to {CLASSES_MAX} different labels, got {len(spec.classes)}"
        )
    if sum(len(label.encode(errors="replace")) + 3 for label in spec.classes) > CLASSES_BYTES_MAX:
        raise ValueError(f"classes must have at most {CLASSES_BYTES_MAX} bytes together")
    if spec.metric != "log-loss" or spec.transform != "none" or spec.combination == "median":
        raise ValueError("a classification has metric log-loss, transform none and no median")


_CHOICES = {
    "task": ENSEMBLE_TASKS,
    "transform": TRANSFORMS,
    "metric": METRICS,
    "combination": COMBINATIONS,
}
