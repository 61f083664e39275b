"""Settings of one peer that searches: an immutable value made from flags."""

from dataclasses import dataclass
from pathlib import Path

from swarm.core.errors import ConfigurationError
from swarm.network.addresses import BootstrapAddress, check_ip
from swarm.search.messages import SLOTS_MAX
from swarm.search.study import StudyId

STUDIES_FOLDER = "studies"
_FOLDER_NAME_LENGTH = 16


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a user can set for a peer that takes part in searches."""

    ip: str
    port: int
    """0 lets the system choose."""
    state_dir: Path
    bootstraps: tuple[BootstrapAddress, ...] = ()
    slots: int = 1
    """Trials executed at once; 0 only looks on."""
    data_dir: Path | None = None
    """Folder that may hold `cifar-10-batches-bin`."""
    cache_dir: Path = Path()
    allow_code: bool = False
    """Whether strategies that studies name as `module:Class` may run here."""

    def __post_init__(self) -> None:
        check_ip(self.ip)
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"port must be in 0..65535, got {self.port}")
        if not 0 <= self.slots <= SLOTS_MAX:
            raise ConfigurationError(f"slots must be in 0..{SLOTS_MAX}, got {self.slots}")

    def folder_of(self, study: StudyId) -> Path:
        """Where a study's ledger is kept."""
        return self.state_dir / STUDIES_FOLDER / study[:_FOLDER_NAME_LENGTH]
