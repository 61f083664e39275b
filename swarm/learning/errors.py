"""Errors of learning, beyond those of swarm.core.errors."""

from swarm.core.errors import LearningError


class TrainingCancelledError(LearningError):
    """The training was stopped between two batches."""


class ForeignWeightsError(LearningError):
    """A file is not a safetensors file of float32 weights, or its weights do not fit."""
