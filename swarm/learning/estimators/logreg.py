"""logreg: logistic regression."""

import importlib
from typing import Any

from swarm.learning.estimators.family import Params, Problem
from swarm.learning.estimators.hyperparameters import Choice, Integer, Real
from swarm.learning.estimators.scikit import STANDARDISE, ScikitFamily
from swarm.learning.estimators.table_source import Kind


class LogisticRegression(ScikitFamily):
    """scikit-learn's LogisticRegression; l1_ratio 0 is a ridge penalty, 1 a lasso penalty."""

    name = "logreg"
    hyperparameters = (
        Real("C", 0.0, above=True),
        Real("l1_ratio", 0.0, 1.0),
        Choice("solver", ("lbfgs", "newton-cholesky", "newton-cg", "sag", "saga")),
        Integer("max_iter", 1, 1_000_000),
        Real("tol", 0.0, above=True),
        Choice("fit_intercept", (True, False)),
        Choice("class_weight", ("none", "balanced")),
        STANDARDISE,
    )
    kinds: tuple[Kind, ...] = ("classification",)
    standardises = True

    def estimator(self, params: Params, problem: Problem, seed: int) -> Any:
        """Create it; saga is the only solver for an l1_ratio above 0."""
        own: dict[str, Any] = dict(params)
        if own.get("class_weight") == "none":
            own["class_weight"] = None
        own.setdefault("solver", "saga" if own.get("l1_ratio", 0.0) > 0 else "lbfgs")
        linear_model = importlib.import_module("sklearn.linear_model")
        return linear_model.LogisticRegression(**own, random_state=seed)
