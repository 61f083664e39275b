"""DataSummary: a few rounded numbers about a peer's data, so that observers see odd sites."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DataSummary:
    """Of a peer's training inputs, as its model sees them; rounded to three digits."""

    low: float
    high: float
    mean: float
    deviation: float
    """Standard deviation."""
    num_classes: int = 0
    """Classes of which the peer has training examples; 0 if the task has no classes."""

    def __post_init__(self) -> None:
        values = (self.low, self.high, self.mean, self.deviation)
        if not all(map(math.isfinite, values)) or self.deviation < 0 or self.num_classes < 0:
            raise ValueError(f"a summary must have finite numbers, got {values}")

    @property
    def reach(self) -> float:
        """The greatest distance of an input from 0."""
        return max(abs(self.low), abs(self.high))
