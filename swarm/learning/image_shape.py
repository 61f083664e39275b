"""What image models require of their input; imports no library, so submissions can be checked.

Image models take pixels in [0, 1] and centre them themselves, so that an exported model takes the
same input. Without centring, cnn at learning rate 0.05 stayed at chance for the first 8,000
CIFAR-10 images.
"""

from swarm.core.errors import ConfigurationError

SIDE_MIN = 8


def is_image_shape(shape: tuple[int, ...]) -> bool:
    """Whether the shape is (height, width, channels) of at least 8 by 8."""
    return len(shape) == 3 and min(shape[:2]) >= SIDE_MIN


def check_is_image(model: str, input_shape: tuple[int, ...]) -> None:
    """Require (height, width, channels) of at least 8 by 8.

    Raises:
        ConfigurationError: The shape is not that of an image.
    """
    if not is_image_shape(input_shape):
        raise ConfigurationError(
            f"model {model!r} needs examples of shape (height, width, channels) of at least "
            f"{SIDE_MIN}x{SIDE_MIN}, got {input_shape}; model 'mlp' takes any shape"
        )
