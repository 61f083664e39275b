"""lenet: the CNN of NIID-Bench (arXiv:2102.02079), after LeNet-5; 62,006 parameters at 32x32x3."""

from typing import Any

from swarm.learning.backend import keras
from swarm.learning.image_shape import check_is_image

VALID_SIDE_MIN = 16
"""Below this, two 5x5 convolutions without padding leave no pixel."""


def build(input_shape: tuple[int, ...], num_classes: int) -> Any:
    """Two 5x5 convolutions, two pools, three dense layers. Outputs are logits."""
    check_is_image("lenet", input_shape)
    padding = "valid" if min(input_shape[:2]) >= VALID_SIDE_MIN else "same"
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Rescaling(2.0, offset=-1.0, name="centre"),  # see image_shape
            layers.Conv2D(6, 5, padding=padding, activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(16, 5, padding=padding, activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(120, activation="relu", name="dense1"),
            layers.Dense(84, activation="relu", name="dense2"),
            layers.Dense(num_classes, name="logits"),
        ],
        name="lenet",
    )
