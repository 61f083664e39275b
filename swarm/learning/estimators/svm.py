"""svm: support vector machine with a kernel."""

import importlib
from typing import Any

from swarm.core.errors import ConfigurationError
from swarm.learning.estimators.family import Params, Problem
from swarm.learning.estimators.hyperparameters import Choice, Integer, Real
from swarm.learning.estimators.scikit import STANDARDISE, ScikitFamily, pick


class SupportVectorMachine(ScikitFamily):
    """scikit-learn's SVC and SVR; calibrated on three inner folds if probabilities are needed."""

    name = "svm"
    hyperparameters = (
        Real("C", 0.0, above=True),
        Choice("kernel", ("rbf", "linear", "poly", "sigmoid")),
        Real("gamma", 0.0, above=True, words=("scale", "auto")),
        Integer("degree", 1, 20),
        Real("coef0", -1e6, 1e6),
        Real("tol", 0.0, above=True),
        Real("epsilon", 0.0),
        Integer("max_iter", 1),
        Choice("class_weight", ("none", "balanced")),
        STANDARDISE,
    )
    standardises = True

    def estimator(self, params: Params, problem: Problem, seed: int) -> Any:
        """Create it; `epsilon` is for regressions, `class_weight` for classifications."""
        own: dict[str, Any] = dict(params)
        foreign = "epsilon" if problem.kind == "classification" else "class_weight"
        if foreign in own:
            raise ConfigurationError(f"models.svm.{foreign} has no meaning in a {problem.kind}")
        if own.get("class_weight") == "none":
            own["class_weight"] = None
        machine = pick(problem, "sklearn.svm:SVC", "sklearn.svm:SVR")(**own)
        if not problem.needs_probabilities:
            return machine
        calibration = importlib.import_module("sklearn.calibration")
        return calibration.CalibratedClassifierCV(machine, cv=3, ensemble=False)
