"""SearchSettings: settings of one peer that takes part in studies."""

from dataclasses import dataclass
from pathlib import Path

from swarm.core.errors import ConfigurationError
from swarm.peer.host.host_settings import HostSettings
from swarm.search.messages import SLOTS_MAX
from swarm.search.study import StudyId

STUDIES_FOLDER = "studies"
_FOLDER_NAME_LENGTH = 16


@dataclass(frozen=True, slots=True)
class SearchSettings(HostSettings):
    """What a user can set for a peer that takes part in studies."""

    slots: int = 1
    """Trials that run at once; 0 runs none."""
    allow_code: bool = False
    """Whether code that studies name may run here: `module:Class`, `module:function`."""

    looks: bool = False
    """Whether this peer only reads studies, and cancels them: it needs none of their code."""

    def __post_init__(self) -> None:
        HostSettings.__post_init__(self)
        if not 0 <= self.slots <= SLOTS_MAX:
            raise ConfigurationError(f"slots must be in 0..{SLOTS_MAX}, got {self.slots}")

    def folder_of(self, study: StudyId) -> Path:
        """Where a study's ledger is kept."""
        return self.state_dir / STUDIES_FOLDER / study[:_FOLDER_NAME_LENGTH]
