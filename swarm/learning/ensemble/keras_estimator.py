"""KerasEstimator: our Keras models as estimators, whose weights are plain arrays.

A model file names the architecture and holds its weights, so that it can carry no code: neither
layers nor functions are read from it. Keras is imported when the first network is built.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from swarm.core.errors import DataError

BUILT_IN = ("lenet", "cnn", "mlp")
EPOCHS = 30
BATCH_SIZE = 32
LEARNING_RATE = 0.001
_BLOCK = 256
"""Rows that are answered at once."""


class KerasEstimator(BaseEstimator):  # type: ignore[misc]  # no types in sklearn
    """One of `swarm.learning.models`, fitted by Adam."""

    def __init__(
        self,
        built_in: str,
        input_shape: tuple[int, ...],
        num_classes: int,
        seed: int,
        epochs: int = EPOCHS,
    ) -> None:
        self.built_in = built_in
        self.input_shape = input_shape
        """Shape of one example; rows come flat."""
        self.num_classes = num_classes
        """0 for a regression."""
        self.seed = seed
        self.epochs = epochs

    def fit(self, x: NDArray[np.float64], y: NDArray[Any]) -> "KerasEstimator":
        """Fit to rows of shape (n, features), and targets or class numbers (n,)."""
        model, objective = self._build()
        self.mean_, self.scale_ = 0.0, 1.0
        if self.num_classes:
            self.classes_ = np.arange(self.num_classes)
        else:
            self.mean_, self.scale_ = float(y.mean()), float(y.std()) or 1.0
            y = ((y - self.mean_) / self.scale_).astype(np.float32).reshape(-1, 1)
        from swarm.learning.backend import keras  # noqa: PLC0415 - takes seconds

        model.compile(
            optimizer=keras.optimizers.Adam(LEARNING_RATE),
            loss=objective.loss,
            jit_compile=False,  # XLA is slower here than oneDNN and compiles for seconds
        )
        examples = self._examples(x)
        rng = np.random.default_rng(self.seed)
        for _ in range(self.epochs):
            order = rng.permutation(len(y))
            for places in np.split(order, range(BATCH_SIZE, len(y), BATCH_SIZE)):
                model.train_on_batch(examples[places], objective.targets(y[places]))
        self.weights_ = [np.asarray(weight, np.float32) for weight in model.get_weights()]
        self._network = (model, objective)
        return self

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Targets of shape (n,)."""
        targets: NDArray[np.float64] = self._outputs(x)[:, 0] * self.scale_ + self.mean_
        return targets

    def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of shape (n, C)."""
        outputs = self._outputs(x)
        found: NDArray[np.float64] = self._network[1].outputs.probabilities(outputs)
        return found

    def check(self, num_features: int, num_classes: int) -> None:
        """Check what came from elsewhere; shapes of weights are checked as they are put in.

        Raises:
            DataError: It is none of our networks, or not for these rows.
        """
        if hasattr(self, "_network"):
            raise DataError("a network must be built here")
        if self.built_in not in BUILT_IN:
            raise DataError(f"{self.built_in!r:.40} is no network of ours")
        shape = self.input_shape
        sizes = isinstance(shape, tuple) and all(type(size) is int and size > 0 for size in shape)
        if not sizes or int(np.prod(shape, dtype=object)) != num_features:
            raise DataError(f"the network must take {num_features} features")
        if type(self.num_classes) is not int or self.num_classes != num_classes:
            raise DataError(f"the network must know {num_classes} classes")
        if not isinstance(self.weights_, list) or not all(
            isinstance(weight, np.ndarray)
            and weight.dtype == np.float32
            and np.isfinite(weight).all()
            for weight in self.weights_
        ):
            raise DataError("weights of a network must be finite and float32")
        if not all(isinstance(value, float) for value in (self.mean_, self.scale_)):
            raise DataError("the network's target must have a mean and a scale")

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_network", None)
        return state

    def _outputs(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        if not hasattr(self, "_network"):
            model, objective = self._build()
            model.set_weights(self.weights_)
            self._network = (model, objective)
        examples = self._examples(x)
        parts = [
            np.asarray(self._network[0](examples[start : start + _BLOCK], training=False))
            for start in range(0, len(examples), _BLOCK)
        ]
        outputs: NDArray[np.float64] = np.concatenate(parts).astype(np.float64)
        return outputs

    def _examples(self, x: NDArray[np.float64]) -> NDArray[np.float32]:
        return x.reshape(len(x), *self.input_shape).astype(np.float32)

    def _build(self) -> tuple[Any, Any]:
        from swarm.learning.datasets.description import DataDescription  # noqa: PLC0415
        from swarm.learning.models import create_model  # noqa: PLC0415 - imports Keras
        from swarm.learning.models.objective import Objective  # noqa: PLC0415
        from swarm.learning.models.outputs import find_outputs  # noqa: PLC0415

        task = "classification" if self.num_classes else "regression"
        data = DataDescription(tuple(self.input_shape), self.num_classes or 1, task)
        model = create_model(self.built_in, data, seed=self.seed, allow_code=False)
        return model, Objective(model, find_outputs(model, data, self.built_in))
