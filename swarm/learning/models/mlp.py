"""mlp: one hidden layer of 64, for any shape; for 8x8 digits its weights fit in a message."""

from typing import Any

from swarm.learning.backend import keras


def build(input_shape: tuple[int, ...], num_classes: int) -> Any:
    """Flatten, dense 64, dense. Outputs are logits."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dense(num_classes, name="logits"),
        ],
        name="mlp",
    )
