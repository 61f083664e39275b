"""mlp: scikit-learn's dense network, trained epoch by epoch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.learning.estimators.family import Params, Problem
from swarm.learning.estimators.hyperparameters import EPOCHS_MAX, Choice, Integer, Real, Sizes
from swarm.learning.estimators.scikit import STANDARDISE, ScikitFamily, ScikitModel, pick

_SIZES = Sizes("hidden_layer_sizes")


class _EpochwiseModel(ScikitModel):
    def _fit(self, x: NDArray[np.float64], y: NDArray[Any]) -> float | None:
        if self._problem.kind == "classification":
            self._estimator.partial_fit(x, y, classes=np.arange(self._problem.num_classes))
        else:
            self._estimator.partial_fit(x, y)
        return float(self._estimator.loss_)


class MultilayerPerceptron(ScikitFamily):
    """scikit-learn's MLPClassifier and MLPRegressor; `keras-mlp` is our own model."""

    name = "mlp"
    hyperparameters = (
        _SIZES,
        Choice("activation", ("relu", "tanh", "logistic", "identity")),
        Choice("solver", ("adam", "sgd")),
        Real("learning_rate_init", 0.0, above=True),
        Real("alpha", 0.0),
        Real("momentum", 0.0, 1.0),
        Integer("batch_size", 1),
        Integer("epochs", 1, EPOCHS_MAX),
        STANDARDISE,
    )
    has_epochs = True
    model = _EpochwiseModel
    standardises = True

    def estimator(self, params: Params, problem: Problem, seed: int) -> Any:
        """Create it; the number of epochs is not part of it."""
        own: dict[str, Any] = dict(params)
        own.pop("epochs", None)
        if "hidden_layer_sizes" in own:
            own["hidden_layer_sizes"] = _SIZES.read(own["hidden_layer_sizes"])
        network = pick(
            problem, "sklearn.neural_network:MLPClassifier", "sklearn.neural_network:MLPRegressor"
        )
        return network(**own, random_state=seed)
