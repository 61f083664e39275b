from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from swarm.core.errors import LearningError
from swarm.learning.backend import keras
from swarm.learning.datasets import DataDescription
from swarm.learning.models.outputs import Outputs, find_outputs

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts TensorFlow's variables in a way that numpy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
]

L = keras.layers
DATA = DataDescription((6,), 4)


class Subclass(keras.Model):
    """A model without a graph."""

    def __init__(self, activation: Callable[[Any], Any]) -> None:
        super().__init__()
        self._dense = L.Dense(4)
        self._activation = activation

    def call(self, x: Any) -> Any:
        return self._activation(self._dense(x))


def own_softmax(v: Any) -> Any:
    """Its name says nothing, so it must be measured."""
    return keras.ops.softmax(v)


def own_sigmoid(v: Any) -> Any:
    return keras.ops.sigmoid(v)


def _nested(activation: str | None) -> Any:
    return keras.Sequential(
        [keras.Input((5,)), keras.Sequential([keras.Input((5,)), L.Dense(4, activation)])]
    )


PROBABILITIES = {
    "activation by name": L.Dense(4, "softmax"),
    "activation by function": L.Dense(4, keras.ops.softmax),
    "activation of one's own": L.Dense(4, own_softmax),
    "Softmax layer": lambda h: L.Softmax()(L.Dense(4)(h)),
    "softmax operation": lambda h: keras.ops.softmax(L.Dense(4)(h)),
    "nested": _nested("softmax"),
    "float32 after mixed precision": lambda h: L.Activation("softmax", dtype="float32")(
        L.Dense(4, dtype="mixed_bfloat16")(h)
    ),
    "cast": lambda h: keras.ops.cast(L.Dense(4, "softmax")(h), "float32"),
    "mean of two": lambda h: L.Average()([L.Dense(4, "softmax")(h), L.Dense(4, "softmax")(h)]),
}
LOGITS = {
    "no activation": L.Dense(4),
    "nested": _nested(None),
    "reshaped": lambda h: L.Reshape((4,))(L.Reshape((4, 1))(L.Dense(4)(h))),
    "divided by a temperature": lambda h: L.Dense(4)(h) / 2.0,
    "log_softmax": L.Dense(4, "log_softmax"),
    "rectified": L.Dense(4, "relu"),
    "average of a map": lambda h: L.GlobalAveragePooling1D()(L.Conv1D(4, 3)(L.Reshape((5, 1))(h))),
    "mixed precision": L.Dense(4, dtype="mixed_float16"),
}


@pytest.mark.parametrize("ending", PROBABILITIES.values(), ids=PROBABILITIES)
def test_probabilities_are_told(ending: Callable[[Any], Any]) -> None:
    assert not find_outputs(_functional(ending), DATA, "own").logits


@pytest.mark.parametrize("ending", LOGITS.values(), ids=LOGITS)
def test_logits_are_told(ending: Callable[[Any], Any]) -> None:
    assert find_outputs(_functional(ending), DATA, "own").logits


@pytest.mark.parametrize("activation", [keras.ops.softmax, lambda v: v])
def test_a_subclass_is_measured(activation: Callable[[Any], Any]) -> None:
    model = Subclass(activation)
    model(np.zeros((2, 6), np.float32))

    outputs = find_outputs(model, DATA, "own")

    assert outputs.width == 4
    assert outputs.logits == (activation is not keras.ops.softmax)


@pytest.mark.parametrize("task", ["classification", "multi-label"])
@pytest.mark.parametrize("activation", ["sigmoid", own_sigmoid, None])
def test_a_sigmoid_gives_probabilities(task: str, activation: Any) -> None:
    model = _functional(L.Dense(1 if task == "classification" else 4, activation))

    assert find_outputs(model, DataDescription((6,), 4, task), "own").logits == (
        activation is None
    )


def test_a_model_for_a_fixed_number_of_rows_is_measured_with_it() -> None:
    model = keras.Sequential([keras.Input(batch_shape=(16, 6)), L.Dense(4, own_softmax)])

    assert not find_outputs(model, DATA, "own").logits


def test_where_it_cannot_be_told_the_compiled_loss_says_it_or_the_user_is_asked() -> None:
    model = _functional(L.Dense(4, lambda v: v * 0 + 0.5))

    with pytest.raises(LearningError, match="from_logits=True"):
        find_outputs(model, DATA, "own")

    for said in (True, False):
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=said))
        assert find_outputs(model, DATA, "own").logits == said


def test_probabilities_follow_from_each_kind_of_output() -> None:
    logits = np.log(np.array([[0.2, 0.8], [0.5, 0.5]]))
    one = np.array([[0.0], [np.log(3)]])

    for outputs, values, expected in (
        (Outputs("classification", 2, True), logits, [[0.2, 0.8], [0.5, 0.5]]),
        (Outputs("classification", 2, False), np.exp(logits), [[0.2, 0.8], [0.5, 0.5]]),
        (Outputs("classification", 1, True), one, [[0.5, 0.5], [0.25, 0.75]]),
        (Outputs("multi-label", 1, True), one, [[0.5], [0.75]]),
        (Outputs("multi-label", 1, False), one / 2, one / 2),
    ):
        np.testing.assert_allclose(outputs.probabilities(values), expected)


def _functional(ending: Callable[[Any], Any]) -> Any:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    return keras.Model(inputs, ending(L.Dense(5, "relu")(inputs)))
