"""StudySpec: what a swarm searches and by which rules; immutable, identified by its hash."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType

from swarm.core.blobs import BlobRef
from swarm.core.canonical import digest_of
from swarm.core.ids import PeerId
from swarm.search.catalog import DATA_FORMATS, DATASETS, DIRECTIONS, FILE, MODELS, OBJECTIVES
from swarm.search.space import ModelSpace
from swarm.search.values import Params, Value, check_name, check_params

StudyId = NewType("StudyId", str)
"""Digest of a StudySpec's canonical encoding."""

MODELS_MAX = 32
TRIALS_MAX = 100_000
FOLDS_MAX = 32
EPOCHS_MAX = 512
BUILT_IN_STRATEGIES = ("grid", "random", "bayesian", "halving")
MISSED_HEARTBEATS_MAX = 3
"""A lease expires after this many missed heartbeats in a row."""
NOBODY = PeerId("")
"""In place of a peer that is not known."""


@dataclass(frozen=True, slots=True)
class StudySpec:
    """One hyperparameter search. Equal specs are one study.

    Peers that run trials read `models[].fixed`, data, `objective`, `folds`, `epochs_max`, `seed`
    and `trial_limit_s`; the rest is for the coordinator.
    """

    name: str
    models: tuple[ModelSpace, ...]
    dataset: str
    """A name of `swarm.search.catalog.DATASETS`; `file` is the submitter's file, see `data`."""
    data: BlobRef | None = None
    """The submitter's file, when `dataset` is `file`; workers fetch it."""
    data_format: str = ""
    """`npz` (arrays `x_train` and `y_train`) or `csv` (with a line of column names).
    Tables of other kinds become CSV before they are sent."""
    target: str = ""
    """The column to predict, for a CSV file."""
    examples_max: int = 0
    """Most examples used, as a sample that keeps the shares of classes; 0 for all."""
    objective: str = "accuracy"
    direction: str = "maximize"
    folds: int = 3
    """Folds of stratified cross-validation; 1 holds out a quarter of the examples once."""
    epochs_max: int = 10
    """Epochs of a model that is trained in epochs, unless its params say otherwise."""
    num_trials: int = 0
    """The study ends with this many results; 0: it ends with its time or its grid."""
    time_budget_s: float = 0.0
    """Seconds after which no more trials are asked for; 0 for no limit."""
    strategy: str = "random"
    """`grid`, `random`, `bayesian`, `halving`, or `module:Class`, which peers must allow."""
    strategy_options: Params = ()
    seed: int = 0
    trial_limit_s: float = 600.0
    """A trial that takes longer is killed and recorded as failed."""
    heartbeat_s: float = 1.0
    """Interval between heartbeats; a worker's leases expire after three missed ones."""
    submitter: PeerId = NOBODY
    """The peer that submitted the study and coordinates first; filled in on submission."""

    def __post_init__(self) -> None:
        check_name("name", self.name)
        self._check_models()
        self._check_data()
        self._check_choices()
        self._check_ranges()
        check_params("strategy_options", self.strategy_options)
        if not self.num_trials and not self.time_budget_s and self.strategy != "grid":
            raise ValueError("num_trials or time_budget_s must be given, unless strategy is grid")

    @property
    def id(self) -> StudyId:
        """Digest of the canonical encoding: equal specs, equal ids."""
        return _study_id(self)

    @property
    def maximizes(self) -> bool:
        """Whether greater values are better."""
        return self.direction == "maximize"

    @property
    def lease_s(self) -> float:
        """Silence after which a lease expires."""
        return MISSED_HEARTBEATS_MAX * self.heartbeat_s

    @property
    def options(self) -> dict[str, Value]:
        """Options of the strategy, by name."""
        return dict(self.strategy_options)

    def space(self, model: str) -> ModelSpace:
        """The search space of one model.

        Raises:
            KeyError: The study has no such model.
        """
        for space in self.models:
            if space.model == model:
                return space
        raise KeyError(model)

    def is_better(self, value: float, than: float) -> bool:
        """Whether `value` is strictly better."""
        return value > than if self.maximizes else value < than

    def _check_models(self) -> None:
        names = [space.model for space in self.models]
        if not 1 <= len(names) <= MODELS_MAX:
            raise ValueError(f"models must be 1 to {MODELS_MAX}, got {len(names)}")
        if len(set(names)) < len(names):
            raise ValueError(f"models must be distinct, got {', '.join(names)}")
        for name in names:
            if name not in MODELS and ":" not in name:
                raise ValueError(
                    f"models must be among {', '.join(MODELS)} or module:function, got {name!r}"
                )

    def _check_data(self) -> None:
        if self.dataset not in DATASETS:
            raise ValueError(
                f"dataset must be one of {', '.join(DATASETS)}, got {self.dataset!r:.80}"
            )
        if (self.dataset == FILE) != (self.data is not None):
            raise ValueError("data must be given exactly when dataset is 'file'")
        if self.data is not None and self.data_format not in DATA_FORMATS:
            raise ValueError(
                f"data_format must be one of {', '.join(DATA_FORMATS)}, got {self.data_format!r}"
            )
        if (self.data_format == "csv") != bool(self.target):
            raise ValueError("target must be given exactly when data_format is csv")

    def _check_choices(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ValueError(
                f"objective must be one of {', '.join(OBJECTIVES)}, got {self.objective!r:.80}"
            )
        if self.direction not in DIRECTIONS:
            raise ValueError(
                f"direction must be one of {', '.join(DIRECTIONS)}, got {self.direction!r:.80}"
            )
        if self.strategy not in BUILT_IN_STRATEGIES and ":" not in self.strategy:
            raise ValueError(
                f"strategy must be one of {', '.join(BUILT_IN_STRATEGIES)} or module:Class, "
                f"got {self.strategy!r:.80}"
            )

    def _check_ranges(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ValueError(f"{name} must be in [{low}, {high}], got {value}")


@lru_cache(maxsize=64)
def _study_id(spec: StudySpec) -> StudyId:
    return StudyId(digest_of(spec))


_RANGES: dict[str, tuple[float, float]] = {
    "examples_max": (0, 10**9),
    "folds": (1, FOLDS_MAX),
    "epochs_max": (1, EPOCHS_MAX),
    "num_trials": (0, TRIALS_MAX),
    "time_budget_s": (0, 10**9),
    "seed": (0, 2**53),
    "trial_limit_s": (0.1, 10**6),
    "heartbeat_s": (0.2, 60),
}
