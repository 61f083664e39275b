"""Progress: how far a job is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["preparing", "downloading", "evaluating", "training"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the current job is."""

    phase: Phase
    fraction: float
    """In [0, 1], of this phase."""
    train_accuracy: float | None = None
    train_loss: float | None = None
    text: str = ""
    measured: tuple[float, float, int] | None = None
    """Accuracy, loss and number of examples of the base weights on the test shard, once a training
    has measured them. Every later progress of this training repeats it: some may be skipped."""


OnProgress = Callable[[Progress], None]
