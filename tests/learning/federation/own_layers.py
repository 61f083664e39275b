"""Layers, models and losses of a user, for the tests of what trains."""

from typing import Any

from swarm.learning.backend import keras

L = keras.layers


class Doubling(L.Layer):
    """A layer that Keras does not know."""

    def call(self, x: Any) -> Any:
        return x * 2


class Subclass(keras.Model):
    """A model without a graph."""

    def __init__(self, width: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.hidden = L.Dense(8, "relu")
        self.dropout = L.Dropout(0.1)
        self.top = L.Dense(width)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.top(self.dropout(self.hidden(x), training=training))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}


def unbuilt(_input_shape: Any, num_classes: int) -> Any:
    """Without an Input layer: it is built on examples of the session."""
    return keras.Sequential([L.Dense(8, "relu"), L.Dense(num_classes)])


def own_loss(labels: Any, outputs: Any) -> Any:
    """Takes class numbers, as the data has them."""
    return keras.losses.sparse_categorical_crossentropy(labels, outputs, from_logits=True)


class OwnLoss(keras.losses.Loss):
    """The same as a class."""

    def call(self, labels: Any, outputs: Any) -> Any:
        return own_loss(labels, outputs)


def reused(input_shape: Any, num_classes: int) -> Any:
    """The hidden layers of another model, under a new last layer."""
    hidden = L.Dense(8, "relu", kernel_initializer="zeros")
    base = keras.Sequential([keras.Input(input_shape), L.Flatten(), hidden, L.Dense(5)])
    return keras.Sequential([keras.Input(input_shape), *base.layers[:-1], L.Dense(num_classes)])


class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Halves the rate after each step."""

    def __call__(self, step: Any) -> Any:
        return 0.4 * 0.5**step

    def get_config(self) -> dict[str, Any]:
        return {}


class Scripted(L.Layer):
    """As if the user's script had defined it."""

    __module__ = "__main__"


class Elsewhere(L.Layer):
    """As if another machine had its module, and this one had not."""

    __module__ = "layers_of_another_machine"
