"""EnsembleSettings: settings of one peer that is a member of an ensemble."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigurationError
from swarm.core.ids import PeerId
from swarm.ensemble.member_settings import MemberSettings, ServingLimits
from swarm.peer.host.host_settings import HostSettings

FIT_LIMIT_S = 3600.0
ROWS_PER_HOUR = 1_000_000
SCORE_LIMIT_S = 120.0
DRIFT_THRESHOLD = 2.0
"""See `swarm.learning.ensemble.drift`, which the command line does not import."""
TOLERANCE = 0.1
"""Two models of a few hundred rows differ by this share of their loss by chance: without it, every
second refit would wait in the shadow for ever."""
FOREIGN_MEMORY_MIB = 4096


@dataclass(frozen=True, slots=True)
class EnsembleSettings(HostSettings):
    """What a user can set for a member of an ensemble."""

    data: Path | None = None
    """This member's labelled rows."""
    target: str | None = None
    """Column to predict; None: one named target, label, class or y, else the last."""
    ensemble: str = ""
    """Name of the ensemble, or the beginning of its id; empty for the only one."""
    learner: str = "gbr"
    """Name of a learner, or `module:Class`."""
    spec: dict[str, Any] = field(default_factory=dict)
    """Fields of `EnsembleSpec` that the founder set, such as `task` or `combination`."""
    ask_from: tuple[PeerId, ...] = ()
    """Peers whose questions are answered; empty for all."""
    rows_per_hour: int = ROWS_PER_HOUR
    """Rows that one asker gets answered in an hour."""
    watch: Path | None = None
    """Folder of the user's own, from which files of rows are taken."""
    drift_threshold: float = DRIFT_THRESHOLD
    """The member refits when the drift of new rows exceeds this."""
    keep_model: bool = False
    """Whether the model stays here: it is scored by questions, not by others."""
    share_validation_rows: bool = False
    """Whether validation rows are sent to members whose models stay at home, to score them."""
    allow_code: bool = False
    """Whether learners that are code (`module:Class`) may run here."""
    fit_limit_s: float = FIT_LIMIT_S
    """A fit that takes longer is killed."""
    score_limit_s: float = SCORE_LIMIT_S
    """Another member's model is refused if scoring it takes longer."""
    foreign_memory_mib: int = FOREIGN_MEMORY_MIB
    """Memory of the process that loads other members' models."""

    @property
    def member(self) -> MemberSettings:
        """What the member's machine needs of them."""
        limits = ServingLimits(self.ask_from, self.rows_per_hour)
        return MemberSettings(limits, shares_rows=self.share_validation_rows, tolerance=TOLERANCE)

    def __post_init__(self) -> None:
        HostSettings.__post_init__(self)
        if self.rows_per_hour < 1:
            raise ConfigurationError(f"rows_per_hour must be at least 1, got {self.rows_per_hour}")
        for name in ("fit_limit_s", "score_limit_s", "drift_threshold"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigurationError(
                    f"{name} must be a positive number, got {getattr(self, name)}"
                )
        if self.foreign_memory_mib < 1:
            raise ConfigurationError(
                f"foreign_memory_mib must be at least 1, got {self.foreign_memory_mib}"
            )
