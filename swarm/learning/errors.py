"""Errors of the maths, beyond those of swarm.core.errors."""

from swarm.core.errors import LearningError


class TrainingCancelledError(LearningError):
    """The training was asked to stop between two batches."""


class ForeignWeightsError(LearningError):
    """A file is not a safetensors file of float32 weights."""
