"""dtree: a single decision tree."""

from typing import Any

from swarm.learning.estimators.family import Params, Problem
from swarm.learning.estimators.scikit import ScikitFamily, pick
from swarm.learning.estimators.trees import GROWTH, check_criterion


class DecisionTree(ScikitFamily):
    """scikit-learn's DecisionTreeClassifier and DecisionTreeRegressor."""

    name = "dtree"
    hyperparameters = GROWTH
    is_single = True

    def estimator(self, params: Params, problem: Problem, seed: int) -> Any:
        """Create it; the seed breaks ties between splits."""
        check_criterion(self.name, params, problem)
        return pick(
            problem, "sklearn.tree:DecisionTreeClassifier", "sklearn.tree:DecisionTreeRegressor"
        )(**params, random_state=seed)
