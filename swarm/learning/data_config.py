"""DataConfig: which data set a peer reads, from where, and which part of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Where a peer's examples come from, and which part of them the peer uses."""

    dataset: str
    """Name of the data set; see `swarm.learning.datasets`."""
    data_path: str | None = None
    """The peer's own file or folder; for the data set `own` only, which requires it."""
    task: str | None = None
    """What own data are for, if the user said so; None means that the targets decide."""
    target: str | None = None
    """The column of a table to predict; None: see `choose_target`."""
    missing_target: str = "refuse"
    """What happens to rows of a table whose target is missing: `refuse` or `drop`."""
    data_dir: str | None = None
    """Folder that may hold `cifar-10-batches-bin`."""
    cache_dir: str = ""
    """Folder for downloaded and generated data."""
    partition_index: int = 0
    """Which part of the training and test examples the peer uses, counted from 0."""
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
            raise ValueError("data set 'own' needs data_path, a file or folder")
