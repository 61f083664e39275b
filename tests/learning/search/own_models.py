"""A user's own model: what `module:function` of a study may be."""

from typing import Any


def small(input_shape: tuple[int, ...], num_classes: int, units: int = 8) -> Any:
    """A network with one hidden layer."""
    import keras  # noqa: PLC0415 - only the process that runs trials pays

    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(num_classes),
        ]
    )
