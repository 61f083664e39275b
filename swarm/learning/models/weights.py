"""Which weights peers average, and what averaging means for a model."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.learning.backend import keras

_FLOATS = ("float16", "bfloat16", "float32", "float64")


def averaged_weights(model: Any) -> list[Any]:
    """The weights that peers exchange: all that are floating-point numbers, each once.

    Integers, such as counts or lookup tables, have no meaningful average: each peer keeps those
    that the session's model came with. Frozen weights are equal everywhere, and so is their mean.
    """
    return [weight for weight in model.weights if str(weight.dtype) in _FLOATS]


def take(weight: Any) -> NDArray[np.float32]:
    """Copy a weight, in the type that peers exchange."""
    return np.array(keras.ops.convert_to_numpy(weight.value), np.float32)


def put(weight: Any, array: NDArray[np.float32]) -> None:
    """Set a weight.

    A variance is at least 0: a stale or merged update may have moved it below, and batch
    normalisation would take its square root.
    """
    if weight.path.endswith("moving_variance"):
        array = np.maximum(array, 0)
    weight.assign(array)


def advice(model: Any) -> list[str]:
    """What the maker of a model should know before it trains."""
    lines = []
    names = [layer.name for layer in _layers(model) if _normalises_batches(layer)]
    if names:
        lines.append(
            f"batch normalisation ({_listed(names)}): its moving means and variances are averaged "
            "like weights, which costs accuracy if peers' data differ; GroupNormalization and "
            "LayerNormalization avoid that, as does layer.trainable = False"
        )
    other = sorted({str(w.dtype) for w in averaged_weights(model)} - {"float32"})
    if other:
        lines.append(f"weights of type {', '.join(other)} are exchanged as float32")
    return lines


def _layers(model: Any) -> list[Any]:
    """Layers at any depth, each once."""
    return list(model._flatten_layers(include_self=False))  # Keras has no public one


def _normalises_batches(layer: Any) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and layer.trainable


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, and {len(names) - 1} more"
