"""compact(): what travels of a fitted estimator, without what only fitting needed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.learning.ensemble.tree_sum import Tree, TreeSum

_ONLY_FOR_FITTING = ("_optimizer", "_random_state", "_best_coefs", "_best_intercepts")


def compact(estimator: Any) -> Any:
    """The same answers from fewer and safer types: a `TreeSum` for trees of any kind.

    Args:
        estimator: A fitted estimator of a learner with a name; others stay as they are.
    """
    make = _MAKERS.get(type(estimator).__name__)
    if make is not None:
        return make(estimator)
    if type(estimator).__name__ == "TransformedTargetRegressor":
        estimator.regressor = None  # the unfitted one
        estimator.regressor_ = compact(estimator.regressor_)
        return estimator
    if hasattr(estimator, "n_samples_fit_"):  # neighbours: a member may have only a few rows
        estimator.n_neighbors = min(estimator.n_neighbors, estimator.n_samples_fit_)
    for name in _ONLY_FOR_FITTING:
        if hasattr(estimator, name):
            delattr(estimator, name)
    return estimator


def _plain(tree: Any, value: NDArray[np.float64]) -> Tree:
    inner = tree.tree_
    return Tree(inner.children_left, inner.children_right, inner.feature, inner.threshold, value)


def _forest(estimator: Any) -> TreeSum:
    """The mean of trees: leaves hold means, or shares of classes."""
    members = estimator.estimators_
    trees = [_plain(one, one.tree_.value[:, 0, :] / len(members)) for one in members]
    return _mean_of(trees, estimator)


def _single(estimator: Any) -> TreeSum:
    """One tree. Its leaves count each class once more: a leaf of five rows is never sure.

    Source: Provost & Domingos 2003, Tree Induction for Probability-Based Ranking.
    """
    value = estimator.tree_.value[:, 0, :]
    if hasattr(estimator, "classes_"):
        rows = estimator.tree_.weighted_n_node_samples[:, np.newaxis]
        value = (value * rows + 1) / (rows + value.shape[1])
    return _mean_of([_plain(estimator, value)], estimator)


def _mean_of(trees: list[Tree], estimator: Any) -> TreeSum:
    classes = getattr(estimator, "classes_", None)
    start = np.zeros(trees[0].value.shape[1])
    link = "none" if classes is None else "share"
    return TreeSum(link=link).set_trees(trees, start, estimator.n_features_in_, classes)


def _boosting(estimator: Any) -> TreeSum:
    stages = estimator.estimators_  # (stages, outputs)
    num_outputs = stages.shape[1]
    trees = []
    for stage in stages:
        for output, one in enumerate(stage):
            value = np.zeros((one.tree_.node_count, num_outputs))
            value[:, output] = estimator.learning_rate * one.tree_.value[:, 0, 0]
            trees.append(_plain(one, value))
    classes = getattr(estimator, "classes_", None)
    probe = np.zeros((1, estimator.n_features_in_), np.float32)
    start = np.asarray(estimator._raw_predict_init(probe), np.float64).reshape(-1)
    return TreeSum(link=_link(classes)).set_trees(trees, start, estimator.n_features_in_, classes)


def _histogram_boosting(estimator: Any) -> TreeSum:
    trees = []
    for stage in estimator._predictors:
        for output, predictor in enumerate(stage):
            nodes = predictor.nodes
            is_leaf = nodes["is_leaf"].astype(bool)
            value = np.zeros((len(nodes), len(stage)))
            value[:, output] = nodes["value"]
            trees.append(
                Tree(
                    np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
                    np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
                    nodes["feature_idx"].astype(np.int64),
                    nodes["num_threshold"],
                    value,
                )
            )
    classes = getattr(estimator, "classes_", None)
    start = np.asarray(estimator._baseline_prediction, np.float64).reshape(-1)
    return TreeSum(link=_link(classes), is_single=False).set_trees(
        trees, start, estimator.n_features_in_, classes
    )


def _link(classes: Any) -> str:
    if classes is None:
        return "none"
    return "sigmoid" if len(classes) == 2 else "softmax"


_MAKERS = {
    "DecisionTreeRegressor": _single,
    "DecisionTreeClassifier": _single,
    "RandomForestRegressor": _forest,
    "RandomForestClassifier": _forest,
    "GradientBoostingRegressor": _boosting,
    "GradientBoostingClassifier": _boosting,
    "HistGradientBoostingRegressor": _histogram_boosting,
    "HistGradientBoostingClassifier": _histogram_boosting,
}
