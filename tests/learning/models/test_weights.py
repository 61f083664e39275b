from typing import Any

import numpy as np
import pytest

from swarm.learning.backend import keras
from swarm.learning.models.weights import advice, averaged_weights, put, take

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts TensorFlow's variables in a way that numpy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
]

L = keras.layers


def _model(*layers: Any) -> Any:
    return keras.Sequential([keras.Input((4,)), *layers])


def test_integers_are_not_averaged() -> None:
    normalise = L.Normalization()
    normalise.adapt(np.ones((3, 4), np.float32))
    model = _model(normalise, L.Dropout(0.5), L.Dense(2))

    averaged = averaged_weights(model)

    assert {weight.path.split("/")[-1] for weight in model.weights} > {"count", "mean"}
    assert [w.path.split("/")[-1] for w in averaged] == ["mean", "variance", "kernel", "bias"]


def test_a_layer_used_twice_is_averaged_once() -> None:
    inputs, shared = keras.Input((4,)), L.Dense(4)
    model = keras.Model(inputs, shared(shared(inputs)))

    assert len(averaged_weights(model)) == 2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_weights_of_any_type_travel_as_float32(dtype: str) -> None:
    model = _model(L.Dense(2, dtype=dtype))
    kernel = averaged_weights(model)[0]

    copy = take(kernel)
    put(kernel, copy * 2)

    assert copy.dtype == np.float32
    assert str(kernel.dtype) == dtype
    np.testing.assert_array_equal(take(kernel), copy * 2)
    assert (advice(model) == []) == (dtype == "float32")


def test_a_variance_that_an_update_moved_below_zero_becomes_zero() -> None:
    layer = L.BatchNormalization()
    _model(layer)

    put(layer.moving_variance, np.array([-1, 0, 1, 2], np.float32))
    put(layer.moving_mean, np.array([-1, 0, 1, 2], np.float32))

    assert take(layer.moving_variance).tolist() == [0, 0, 1, 2]
    assert take(layer.moving_mean).tolist() == [-1, 0, 1, 2]


def test_advice_names_layers_that_normalise_batches_unless_they_are_frozen() -> None:
    nested = _model(L.BatchNormalization(name="inner"))

    (line,) = advice(_model(nested, L.BatchNormalization(name="outer"), L.Dense(2)))

    assert line.startswith("batch normalisation (inner, outer): ")
    assert advice(_model(L.BatchNormalization(trainable=False), L.Dense(2))) == []
