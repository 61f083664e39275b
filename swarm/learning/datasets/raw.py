"""RawData: examples and targets as a user gave them, before any rule is applied."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from swarm.learning.datasets.dataset import Inputs


@dataclass(frozen=True, slots=True, eq=False)
class RawSplit:
    """Examples and targets of any type; of a sample, the first examples and all targets."""

    x: Inputs
    y: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class RawData:
    """What a reader found."""

    called: str
    """The data's name in messages."""
    train: RawSplit
    test: RawSplit | None
    class_names: tuple[str, ...] = ()
    """Meaning of the labels 0, 1, 2, ...; empty if the labels say it themselves."""
    notes: tuple[str, ...] = ()
    """What a user should know, such as files that were left out."""

    @property
    def splits(self) -> dict[str, RawSplit]:
        """The splits by name: `train` and, if there is one, `test`."""
        return {"train": self.train} | ({"test": self.test} if self.test is not None else {})
