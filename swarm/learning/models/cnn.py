"""cnn: three convolutions as in TensorFlow's CIFAR tutorial; 319,178 parameters at 32x32x3."""

from typing import Any

from swarm.learning.backend import keras
from swarm.learning.image_shape import check_is_image


def build(input_shape: tuple[int, ...], num_classes: int) -> Any:
    """Convolutions of 32, 64, 64 filters, two pools between, dense 64. Outputs are logits."""
    check_is_image("cnn", input_shape)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Rescaling(2.0, offset=-1.0, name="centre"),  # see image_shape
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv3"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="dense"),
            layers.Dense(num_classes, name="logits"),
        ],
        name="cnn",
    )
