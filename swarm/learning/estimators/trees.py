"""Growth of trees: the hyperparameters that a single tree and a forest share."""

from swarm.core.errors import ConfigurationError
from swarm.learning.estimators.family import Params, Problem
from swarm.learning.estimators.hyperparameters import Choice, Hyperparameter, Integer, Real
from swarm.learning.estimators.table_source import Kind

_CRITERIA: dict[Kind, tuple[str, ...]] = {
    "classification": ("gini", "entropy", "log_loss"),
    "regression": ("squared_error", "absolute_error", "friedman_mse", "poisson"),
}

GROWTH: tuple[Hyperparameter, ...] = (
    Integer("max_depth", 1),
    Integer("max_leaf_nodes", 2),
    Integer("min_samples_split", 2),
    Integer("min_samples_leaf", 1),
    Real("max_features", 0.0, 1.0, above=True, words=("sqrt", "log2")),
    Real("ccp_alpha", 0.0),
    Choice("criterion", _CRITERIA["classification"] + _CRITERIA["regression"]),
)
"""max_depth and max_leaf_nodes are unlimited by default."""


def check_criterion(model: str, params: Params, problem: Problem) -> None:
    """Check that the criterion is for this kind of problem.

    Raises:
        ConfigurationError: It is for the other kind.
    """
    criteria = _CRITERIA[problem.kind]
    if "criterion" in params and params["criterion"] not in criteria:
        raise ConfigurationError(
            f"models.{model}.criterion of a {problem.kind} must be one of {', '.join(criteria)}, "
            f"got {params['criterion']!r}"
        )
