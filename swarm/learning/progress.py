"""Progress: how far a job is, and what it has measured so far."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["preparing", "downloading", "evaluating", "training"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good weights are on the peer's test shard."""

    accuracy: float
    loss: float
    num_examples: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the current job is."""

    phase: Phase
    fraction: float
    """In [0, 1], of this phase."""
    train_accuracy: float | None = None
    train_loss: float | None = None
    text: str = ""
    evaluation: Evaluation | None = None
    """Of the weights from which the training began, once they are measured."""


OnProgress = Callable[[Progress], None]
