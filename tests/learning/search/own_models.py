"""A user's own model, for `module:function` in a study."""

from typing import Any


def small(input_shape: tuple[int, ...], num_classes: int, units: int = 8) -> Any:
    """A network with one hidden layer."""
    import keras  # noqa: PLC0415 - takes seconds, only in processes that run trials

    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(num_classes),
        ]
    )
