"""forest: many decision trees, each on a resample of the examples."""

from typing import Any

from swarm.learning.trials.families.family import Params, Problem
from swarm.learning.trials.families.scikit import ScikitFamily, pick
from swarm.learning.trials.families.trees import GROWTH, check_criterion
from swarm.learning.trials.hyperparameters import Choice, Integer


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
        """Make it; one trial takes one core."""
        check_criterion(self.name, params, problem)
        return pick(
            problem,
            "sklearn.ensemble:RandomForestClassifier",
            "sklearn.ensemble:RandomForestRegressor",
        )(**params, random_state=seed, n_jobs=1)
