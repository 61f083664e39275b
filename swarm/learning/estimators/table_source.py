"""TableSource: where the examples of a table come from."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True)
class TableSource:
    """Where the examples of a table come from."""

    name: str
    """One of `swarm.learning.estimators.table.DATA_NAMES`, or the path of a file."""
    file_format: Literal["", "csv", "npz"] = ""
    """The file's format; empty if `name` is not a path."""
    target: str | None = None
    """The column of a CSV file to predict; None means the last one."""
    kind: Kind = "classification"
    max_examples: int | None = None
    """Use at most this number of examples, sampled in equal shares of classes; None means all."""
    data_dir: str | None = None
    """Folder that may hold `cifar-10-batches-bin`."""
    cache_dir: str = ""
    """Folder for downloaded and generated data."""

    def __post_init__(self) -> None:
        if self.max_examples is not None and self.max_examples < 2:
            raise ValueError(f"max_examples must be at least 2, got {self.max_examples}")
