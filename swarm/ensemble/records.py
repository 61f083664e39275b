"""What a member says of itself in its card: its models, its scores, its residuals."""

import math
from dataclasses import dataclass

from swarm.core.blobs import BlobRef
from swarm.core.ids import Digest, PeerId, is_digest

MEMBERS_MAX = 64
QUANTILES = 101
"""Numbers of a summary of residuals: quantiles 0, 0.01, ..., 1."""
WORD_LENGTH_MAX = 64
TEXT_LENGTH_MAX = 300
_SUM_TOLERANCE = 1e-6
FORMATS = ("skops", "keras", "code")
"""`code`: a learner of the user's own, which travels only by name."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One fitted model of one member."""

    version: Digest
    """Digest of the model file."""
    learner: str
    """Name of the learner, as in `gbr`, or `module:Class`."""
    format: str
    """One of `FORMATS`."""
    blob: BlobRef | None
    """The model file, for others to score; None if the model stays at home."""
    num_rows: int
    """Rows that it was fitted on."""
    fitted_at_s: float
    """Seconds since 1970, by the member's own clock; only shown."""
    fit_s: float
    """Seconds that fitting took."""

    def __post_init__(self) -> None:
        _check_version(self.version)
        _check_word("learner", self.learner)
        if self.format not in FORMATS:
            raise ValueError(
                f"format must be one of {', '.join(FORMATS)}, got {self.format!r:.40}"
            )
        if self.blob is not None and self.blob.digest != self.version:
            raise ValueError("version must be the digest of the model file")
        if self.num_rows < 1:
            raise ValueError(f"num_rows must be at least 1, got {self.num_rows}")
        for name in ("fitted_at_s", "fit_s"):
            _check_amount(name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Score:
    """How one member scored one model on its own validation rows."""

    owner: PeerId
    """The member whose model was scored."""
    version: Digest
    loss: float
    """Mean squared error for a regression, mean log-loss for classes; the metric follows."""
    base_loss: float
    """Loss of the constant that fits these rows best: their mean, or their base rates."""
    num_rows: int
    is_own: bool
    """Whether it is the scorer's own model; then answers are out of fold."""

    def __post_init__(self) -> None:
        _check_version(self.version)
        for name in ("loss", "base_loss"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be finite and at least 0, got {getattr(self, name)}"
                )
        if self.num_rows < 1:
            raise ValueError(f"num_rows must be at least 1, got {self.num_rows}")


@dataclass(frozen=True, slots=True)
class RefusedModel:
    """A model that one member could not score, with the reason in words."""

    owner: PeerId
    version: Digest
    reason: str

    def __post_init__(self) -> None:
        _check_version(self.version)
        _check_text("reason", self.reason)


@dataclass(frozen=True, slots=True)
class Moments:
    """Second moments of the answers of several models on one member's validation rows.

    Sums over rows and outputs, for stacking by non-negative least squares: `gram[i * k + j]` is
    the sum of answer_i * answer_j, `target[i]` the sum of answer_i * truth, for k versions.
    """

    versions: tuple[Digest, ...]
    gram: tuple[float, ...]
    target: tuple[float, ...]
    num_rows: int

    def __post_init__(self) -> None:
        size = _check_versions(self.versions)
        if len(self.gram) != size * size or len(self.target) != size:
            raise ValueError(f"gram and target must fit {size} versions")
        if not all(map(math.isfinite, (*self.gram, *self.target))):
            raise ValueError("gram and target must be finite")
        if self.num_rows < 1:
            raise ValueError(f"num_rows must be at least 1, got {self.num_rows}")


@dataclass(frozen=True, slots=True)
class Residuals:
    """Quantiles of the combined prediction's errors on one member's validation rows.

    Split conformal prediction (Vovk et al. 2005; Lei et al. 2018): of a regression, absolute
    residuals on the scale of the transform; of a classification, 1 - probability of the truth.
    """

    combination: str
    versions: tuple[Digest, ...]
    """The models that were combined."""
    quantiles: tuple[float, ...]
    """`QUANTILES` numbers, not falling."""
    num_rows: int

    def __post_init__(self) -> None:
        _check_word("combination", self.combination)
        _check_versions(self.versions)
        if len(self.quantiles) != QUANTILES or list(self.quantiles) != sorted(self.quantiles):
            raise ValueError(f"quantiles must be {QUANTILES} numbers that do not fall")
        if not (self.quantiles[0] >= 0 and self.quantiles[-1] < math.inf):
            raise ValueError("quantiles must be finite and at least 0")
        if self.num_rows < 1:
            raise ValueError(f"num_rows must be at least 1, got {self.num_rows}")


@dataclass(frozen=True, slots=True)
class CombinerRecord:
    """A combiner for members to train; none makes one yet (FENS, arXiv:2411.07182).

    It maps the answers of these models to one. The weights and the scale say how its inputs are
    made, so that all members make the same: see `swarm.learning.ensemble.combiner`.
    """

    versions: tuple[Digest, ...]
    """The models whose answers it takes, in order."""
    weights: tuple[float, ...]
    """Of the default combination of these models; sum 1."""
    scale: float
    """Typical error of a model on the scale of the transform."""
    blob: BlobRef | None = None
    """Trained weights, as a federated session writes them; None while it is trained."""

    def __post_init__(self) -> None:
        size = _check_versions(self.versions)
        if len(self.weights) != size or not all(0 <= weight <= 1 for weight in self.weights):
            raise ValueError(f"weights must be {size} numbers in [0, 1]")
        if abs(sum(self.weights) - 1) > _SUM_TOLERANCE:
            raise ValueError(f"weights must have sum 1, got {sum(self.weights)}")
        if not 0 < self.scale < math.inf:
            raise ValueError(f"scale must be a positive number, got {self.scale}")


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a member's recent rows are from those that it was fitted on."""

    value: float = 0.0
    threshold: float = 0.0
    """Drift is said, and the member refits, when `value` exceeds it; 0 while nothing is known."""
    detail: str = ""
    """What drifts, in words."""

    def __post_init__(self) -> None:
        for name in ("value", "threshold"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be finite and at least 0, got {getattr(self, name)}"
                )
        _check_text("detail", self.detail)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Champion and challenger so far: validation, recent labelled rows, answers in the shadow.

    Losses are 0 where there are no such rows yet.
    """

    champion_validation: float = 0.0
    challenger_validation: float = 0.0
    champion_recent: float = 0.0
    challenger_recent: float = 0.0
    num_recent: int = 0
    """Recent labelled rows, which the champion was not fitted on."""
    num_shadow: int = 0
    """Rows that the challenger answered in the shadow."""
    disagreement: float = 0.0
    """Mean absolute difference of their answers to those rows."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be finite and at least 0, got {getattr(self, name)}"
                )


def _check_amount(name: str, amount: float) -> None:
    if not 0 <= amount < math.inf:
        raise ValueError(f"{name} must be finite and at least 0, got {amount}")


def _check_version(version: Digest) -> None:
    if not is_digest(version):
        raise ValueError(f"version must be 64 hexadecimal characters, got {version!r:.80}")


def _check_versions(versions: tuple[Digest, ...]) -> int:
    for version in versions:
        _check_version(version)
    if not 1 <= len(versions) <= MEMBERS_MAX or len(set(versions)) < len(versions):
        raise ValueError(f"versions must be 1 to {MEMBERS_MAX} that differ")
    return len(versions)


def _check_word(name: str, word: str) -> None:
    if not 1 <= len(word) <= WORD_LENGTH_MAX:
        raise ValueError(f"{name} must have 1 to {WORD_LENGTH_MAX} characters, got {word!r:.80}")


def _check_text(name: str, text: str) -> None:
    if len(text) > TEXT_LENGTH_MAX:
        raise ValueError(f"{name} must have at most {TEXT_LENGTH_MAX} characters")


NO_DRIFT = Drift()
