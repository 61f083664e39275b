"""knn: the nearest neighbours vote."""

from typing import Any

from swarm.learning.estimators.family import Params, Problem
from swarm.learning.estimators.hyperparameters import Choice, Integer, Real
from swarm.learning.estimators.scikit import STANDARDISE, ScikitFamily, pick


class Knn(ScikitFamily):
    """scikit-learn's KNeighborsClassifier and KNeighborsRegressor."""

    name = "knn"
    hyperparameters = (
        Integer("n_neighbors", 1),
        Choice("weights", ("uniform", "distance")),
        Choice("metric", ("minkowski", "cosine", "chebyshev")),
        Real("p", 1.0),
        STANDARDISE,
    )
    standardises = True

    def estimator(self, params: Params, problem: Problem, seed: int) -> Any:
        """Create it; nothing in it is random."""
        return pick(
            problem,
            "sklearn.neighbors:KNeighborsClassifier",
            "sklearn.neighbors:KNeighborsRegressor",
        )(**params)
