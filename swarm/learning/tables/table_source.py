"""TableSource: where the examples of a table come from."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True)
class TableSource:
    """Where a trial's examples come from."""

    name: str
    """A name of `swarm.learning.tables.table`, or the path of a file."""
    file_format: Literal["", "csv", "npz"] = ""
    """What is in the file; empty if `name` is no path."""
    target: str | None = None
    """The column of a CSV file to predict; its last one if None."""
    kind: Kind = "classification"
    max_examples: int | None = None
    """Use so many examples only, drawn by the trial's seed in equal shares; all if None."""
    data_dir: str | None = None
    """Folder that may hold `cifar-10-batches-bin`."""
    cache_dir: str = ""
    """Folder for downloaded and generated data."""

    def __post_init__(self) -> None:
        if self.max_examples is not None and self.max_examples < 2:
            raise ValueError(f"max_examples must be at least 2, got {self.max_examples}")
