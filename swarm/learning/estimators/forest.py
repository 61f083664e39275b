"""forest: many decision trees, each trained on a resample of the examples."""

from typing import Any

from swarm.learning.estimators.family import Params, Problem
from swarm.learning.estimators.hyperparameters import Choice, Integer
from swarm.learning.estimators.scikit import ScikitFamily, pick
from swarm.learning.estimators.trees import GROWTH, check_criterion


class Forest(ScikitFamily):
    """scikit-learn's RandomForestClassifier and RandomForestRegressor."""

    name = "forest"
    hyperparameters = (
        Integer("n_estimators", 1, 100_000),
        Choice("bootstrap", (True, False)),
        *GROWTH,
    )
    is_single = True

    def estimator(self, params: Params, problem: Problem, seed: int) -> Any:
        """Create it; one trial uses one core."""
        check_criterion(self.name, params, problem)
        return pick(
            problem,
            "sklearn.ensemble:RandomForestClassifier",
            "sklearn.ensemble:RandomForestRegressor",
        )(**params, random_state=seed, n_jobs=1)
