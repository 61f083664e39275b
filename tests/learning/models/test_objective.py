import pytest

from swarm.learning.backend import keras
from swarm.learning.models.objective import Objective
from swarm.learning.models.outputs import Outputs

pytestmark = pytest.mark.slow


def test_a_compiled_loss_of_a_regression_is_used_as_it_is() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))

    objective = Objective(model, Outputs("regression", 1, logits=False))

    assert objective.loss is model.loss
