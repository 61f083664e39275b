"""Network: a compiled Keras model; estimators put their weights and optimizer state into it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.learning.backend import keras
from swarm.learning.datasets.description import DataDescription
from swarm.learning.estimators.family import State
from swarm.learning.estimators.hyperparameters import Value
from swarm.learning.models import create_model
from swarm.learning.models.objective import Objective
from swarm.learning.models.outputs import find_outputs

NETWORKS_MAX = 4
"""Number of compiled networks kept; one of `cnn` takes some 20 MiB."""
PREDICTION_BATCH = 256


@dataclass(frozen=True, slots=True)
class Optimizer:
    """The optimizer's hyperparameters."""

    name: str
    learning_rate: float
    momentum: float
    weight_decay: float


Architecture = tuple[str, tuple[int, ...], int, tuple[tuple[str, Value], ...]]
"""Model, shape of one example, number of classes, and options of a `module:function`."""


def find_network(architecture: Architecture, optimizer: Optimizer) -> "Network":
    """Find or create a network; networks that differ only in the learning rate are shared.

    Args:
        architecture: The model; the caller has checked that a `module:function` may run.
        optimizer: The optimizer that trains it.
    """
    return _network(
        architecture, Optimizer(optimizer.name, 0.0, optimizer.momentum, optimizer.weight_decay)
    )


class Network:
    """A model and its optimizer, compiled; made by `find_network`."""

    def __init__(self, architecture: Architecture, optimizer: Optimizer) -> None:
        self._architecture = architecture
        self._model = self._create(seed=0)
        outputs = find_outputs(self._model, _described(architecture), architecture[0])
        self._objective = Objective(self._model, outputs)
        self._optimizer = _create_optimizer(optimizer)
        self._model.compile(
            optimizer=self._optimizer,
            loss=self._objective.loss,
            jit_compile=False,  # XLA is slower here than oneDNN and compiles for seconds
        )
        self._optimizer.build(self._model.trainable_variables)

    def initial_state(self, seed: int, learning_rate: float) -> State:
        """Weights drawn from a seed, and a fresh optimizer."""
        weights = self._create(seed).get_weights()
        state = {
            key: np.zeros_like(_array(variable)) for key, variable in self._optimizer_variables()
        }
        state |= {key: array for (key, _), array in zip(self._weights(), weights, strict=True)}
        state["optimizer/learning_rate"] = np.asarray(learning_rate, np.float32)
        return state

    def put(self, state: State, rng: np.random.Generator | None = None) -> None:
        """Load a state; `rng` seeds layers that draw random numbers, such as dropout."""
        self._model.set_weights([state[key] for key, _ in self._weights()])
        for key, variable in self._optimizer_variables():
            variable.assign(state[key])
        self._optimizer.learning_rate.assign(state["optimizer/learning_rate"])
        if rng is not None:
            for variable in self._model.variables:
                if variable.path.endswith("seed_generator_state"):
                    variable.assign(rng.integers(0, 2**31, variable.shape))

    def take(self) -> State:
        """Copy the weights and the optimizer's state."""
        variables = [*self._weights(), *self._optimizer_variables()]
        state = {key: _array(variable) for key, variable in variables}
        state["optimizer/learning_rate"] = _array(self._optimizer.learning_rate)
        return state

    def train(self, x: NDArray[np.float32], y: NDArray[Any]) -> float:
        """Take a gradient step on (n, *input_shape) and (n,); return the batch's mean loss."""
        targets = self._objective.targets(y)
        self._model.reset_metrics()  # Keras does it from 3.15 on
        return float(self._model.train_on_batch(x, targets, return_dict=True)["loss"])

    def probabilities(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Softmax outputs, (n, C)."""
        parts = [
            self._probabilities(x[start : start + PREDICTION_BATCH])
            for start in range(0, len(x), PREDICTION_BATCH)
        ]
        return np.concatenate(parts)

    def _probabilities(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        # Filled up with zeros: Keras compiles again for each new length.
        padded = np.zeros((PREDICTION_BATCH, *x.shape[1:]), np.float32)
        padded[: len(x)] = x
        outputs = self._model.predict_on_batch(padded)[: len(x)]
        return self._objective.outputs.probabilities(outputs)

    def _create(self, seed: int) -> Any:
        model, _, _, options = self._architecture
        return create_model(
            model,
            _described(self._architecture),
            seed=seed,
            allow_code=":" in model,  # `check_task` has checked it
            options=dict(options),
        )

    def _weights(self) -> list[tuple[str, Any]]:
        return [(f"weights/{i:03}", weight) for i, weight in enumerate(self._model.weights)]

    def _optimizer_variables(self) -> list[tuple[str, Any]]:
        rate = self._optimizer.learning_rate
        others = [variable for variable in self._optimizer.variables if variable is not rate]
        return [(f"optimizer/{i:03}", variable) for i, variable in enumerate(others)]


def _described(architecture: Architecture) -> DataDescription:
    return DataDescription(input_shape=architecture[1], num_classes=architecture[2])


@lru_cache(maxsize=NETWORKS_MAX)
def _network(architecture: Architecture, optimizer: Optimizer) -> Network:
    return Network(architecture, optimizer)


def _array(variable: Any) -> NDArray[Any]:
    """Copy a variable: the next step overwrites its memory."""
    return np.array(variable.numpy())


def _create_optimizer(optimizer: Optimizer) -> Any:
    decay = optimizer.weight_decay or None  # with None, Keras compiles no decay at all
    match optimizer.name:
        case "sgd":
            return keras.optimizers.SGD(momentum=optimizer.momentum, weight_decay=decay)
        case "rmsprop":
            return keras.optimizers.RMSprop(momentum=optimizer.momentum, weight_decay=decay)
        case "adamw":
            return keras.optimizers.AdamW(weight_decay=optimizer.weight_decay)
        case _:
            return keras.optimizers.Adam(weight_decay=decay)
