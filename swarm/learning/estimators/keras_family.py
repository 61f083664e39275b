"""Our Keras models as families, with the hyperparameters of their training, and checkpoints.

Building and compiling a network takes a second, so networks are kept and shared by folds and by
later trials. What an estimator has learnt is a set of arrays; it is put into the network whenever
it is that estimator's turn.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import ConfigurationError, DataError, LearningError
from swarm.learning.estimators.family import Params, Problem, State
from swarm.learning.estimators.hyperparameters import (
    EPOCHS_MAX,
    Choice,
    Hyperparameter,
    Integer,
    Real,
)
from swarm.learning.estimators.objectives import Predictions
from swarm.learning.estimators.scikit import STANDARDISE
from swarm.learning.estimators.table import FLOAT32_MAX
from swarm.learning.estimators.table_source import Kind

if TYPE_CHECKING:
    from swarm.learning.estimators.keras_network import Network

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
_HYPERPARAMETERS: tuple[Hyperparameter, ...] = (
    Real("learning_rate", 0.0, 1e3, above=True),
    Integer("batch_size", 1, 1 << 20),
    Choice("optimizer", OPTIMIZERS),
    Real("momentum", 0.0, 1.0),
    Real("weight_decay", 0.0, 10.0),
    Integer("epochs", 1, EPOCHS_MAX),
    STANDARDISE,
)
LEARNING_RATE = 0.001
BATCH_SIZE = 32
MEAN, DEVIATION = "input/mean", "input/deviation"
"""Keys of the state: mean and deviation of the training examples, to standardise inputs."""


class KerasFamily:
    """One model of `swarm.learning.models`, trained by stochastic gradient descent.

    A user's own function gets the hyperparameters that are not those of training, such as
    units=64.
    """

    hyperparameters = _HYPERPARAMETERS
    kinds: tuple[Kind, ...] = ("classification",)
    has_epochs = True

    def __init__(self, name: str, built_in: str) -> None:
        self.name = name
        self._built_in = built_in

    def create(self, params: Params, problem: Problem, seed: int) -> "KerasModel":
        """See `Family.create`; the first call in a process imports Keras, which takes seconds."""
        from swarm.learning.estimators.keras_network import (  # noqa: PLC0415 - see above
            Optimizer,
            find_network,
        )

        if problem.beyond_float32:
            raise DataError(
                f"{self.name} computes in float32, up to {FLOAT32_MAX:.3g}, and "
                f"{problem.beyond_float32}"
            )
        optimizer = Optimizer(
            str(params.get("optimizer", "adam")),
            float(params.get("learning_rate", LEARNING_RATE)),
            float(params.get("momentum", 0.0)),
            float(params.get("weight_decay", 0.0)),
        )
        if optimizer.momentum and optimizer.name not in ("sgd", "rmsprop"):
            raise ConfigurationError(
                f"models.{self.name}.momentum is for sgd and rmsprop, not for {optimizer.name}"
            )
        known = {hyperparameter.name for hyperparameter in self.hyperparameters}
        options = tuple(sorted((k, v) for k, v in params.items() if k not in known))
        architecture = (self._built_in, problem.input_shape, problem.num_classes, options)
        network = find_network(architecture, optimizer)
        state = network.initial_state(seed, optimizer.learning_rate)
        # Pixels are in [0, 1] already, and built-in image models centre them themselves.
        if params.get("standardise", len(problem.input_shape) == 1):
            kind = np.float64 if problem.is_double else np.float32
            state |= {key: np.zeros(problem.input_shape, kind) for key in (MEAN, DEVIATION)}
        return KerasModel(network, state, int(params.get("batch_size", BATCH_SIZE)), seed)


class KerasModel:
    """One estimator: what it has learnt, and the network that it shares."""

    def __init__(self, network: "Network", state: State, batch_size: int, seed: int) -> None:
        self._network = network
        self._state = state
        self._batch_size = batch_size
        self._seed = seed

    def train_epoch(self, x: NDArray[Any], y: NDArray[Any], epoch: int) -> float | None:
        """See `Estimator.train_epoch`."""
        if MEAN in self._state and epoch == 1:
            self._state[MEAN], self._state[DEVIATION] = x.mean(axis=0), x.std(axis=0)
        x = self._standardised(x)
        rng = np.random.default_rng((self._seed, epoch))
        self._network.put(self._state, rng)
        order = rng.permutation(len(y))
        total = 0.0
        for indices in np.split(order, range(self._batch_size, len(y), self._batch_size)):
            total += self._network.train(x[indices], y[indices]) * len(indices)
        self._state |= self._network.take()
        return total / len(y)

    def predict(self, x: NDArray[Any]) -> Predictions:
        """See `Estimator.predict`."""
        self._network.put(self._state)
        probabilities = self._network.probabilities(self._standardised(x))
        return Predictions(probabilities.argmax(axis=1), probabilities)

    def state(self) -> State | None:
        """Weights and optimizer."""
        return self._state

    def restore(self, state: State) -> None:
        """See `Estimator.restore`."""
        shapes = {key: (array.shape, array.dtype) for key, array in self._state.items()}
        if shapes != {key: (array.shape, array.dtype) for key, array in state.items()}:
            raise LearningError("the checkpoint holds arrays of another model or optimizer")
        self._state = state

    def _standardised(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Standardise before converting to float32, which could make dates of a year equal."""
        if MEAN not in self._state:
            return np.asarray(x, np.float32)
        deviation = self._state[DEVIATION]
        scaled = (x - self._state[MEAN]) / np.where(deviation, deviation, 1.0)
        return np.asarray(scaled, np.float32)
