"""The session's Keras optimizer, kept compiled over rounds but fresh in each."""

from typing import Any

from swarm.core.session import SessionSpec
from swarm.learning.backend import keras


def create_optimizer(spec: SessionSpec) -> Any:
    """Make the optimizer that the session names."""
    if spec.optimizer == "adam":
        return keras.optimizers.Adam(spec.learning_rate)
    return keras.optimizers.SGD(spec.learning_rate, momentum=spec.momentum)


def start_round(optimizer: Any, spec: SessionSpec, round_number: int) -> None:
    """Forget all moments and set the round's learning rate.

    Zeroing in place spares a new optimizer, which would make Keras compile the training step
    again: 0.6 s for each round and peer.
    """
    for variable in optimizer.variables:
        variable.assign(variable * 0)
    decay = spec.learning_rate_decay ** (round_number - 1)
    optimizer.learning_rate = spec.learning_rate * decay
