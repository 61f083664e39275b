"""TreeSum: any sum of decision trees as a few arrays, which a model file carries.

scikit-learn's trees are objects of C code: 500 of them make a file of 16 MB, which takes a second
to load and crashes the process if a child's number is wrong. A `TreeSum` of the same trees has
some 100 KB, loads at once, and answers alike. numpy alone walks it, and only after `check`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from swarm.core.errors import DataError

NODES_MAX = 20_000_000
_BLOCK = 200_000
"""Pairs of row and tree that are walked at once: some 10 MB."""
LINKS = ("none", "sigmoid", "softmax", "share")
"""What turns sums into answers; `share` divides them by their sum."""


class TreeSum(BaseEstimator):  # type: ignore[misc]  # no types in sklearn
    """start + the sum over all trees of the value of the leaf that a row falls into.

    A row goes left at a node if its feature is at most the threshold.
    """

    def __init__(self, *, link: str = "none", is_single: bool = True) -> None:
        self.link = link
        self.is_single = is_single
        """Whether features are compared as float32, as scikit-learn's plain trees do."""

    def set_trees(
        self,
        trees: list["Tree"],
        start: NDArray[np.float64],
        num_features: int,
        classes: NDArray[Any] | None,
    ) -> "TreeSum":
        """Take over fitted trees.

        Args:
            trees: See `Tree`; their values have shape (nodes, outputs).
            start: Shape (outputs,).
            num_features: Features of a row.
            classes: The classes that outputs stand for; None for a regression.
        """
        sizes = [len(tree.left) for tree in trees]
        self.roots_ = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        shifts = np.repeat(self.roots_, sizes)
        left = np.concatenate([tree.left for tree in trees])
        self.left_ = np.where(left < 0, -1, left + shifts).astype(np.int32)
        right = np.concatenate([tree.right for tree in trees])
        self.right_ = np.where(left < 0, -1, right + shifts).astype(np.int32)
        feature = np.concatenate([tree.feature for tree in trees])
        self.feature_ = np.where(left < 0, 0, feature).astype(np.int32)
        threshold = np.concatenate([tree.threshold for tree in trees])
        self.threshold_ = np.where(left < 0, 0.0, threshold)
        # Only leaves count: what inner nodes hold would only make the file larger.
        value = np.concatenate([tree.value for tree in trees])
        self.value_ = np.where(left[:, np.newaxis] < 0, value, 0.0)
        self.start_ = start.astype(np.float64)
        self.n_features_in_ = num_features
        if classes is not None:
            self.classes_ = np.asarray(classes, np.int64)
        return self

    def fit(self, x: Any, y: Any) -> "TreeSum":
        """Refuse: scikit-learn's pipelines want this method, `set_trees` makes a TreeSum.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a TreeSum is not fitted: it is made from fitted trees, by set_trees")

    def sums(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (n, outputs)."""
        compared: NDArray[Any] = x.astype(np.float32) if self.is_single else x
        sums = np.tile(self.start_, (len(x), 1))
        step = max(1, _BLOCK // len(self.roots_))
        for first in range(0, len(x), step):
            block = compared[first : first + step]
            leaves = self._leaves(block)
            sums[first : first + step] += self.value_[leaves].sum(axis=1)
        return sums

    def predict(self, x: NDArray[np.float64]) -> NDArray[Any]:
        """Values of shape (n,), or the likeliest classes."""
        if hasattr(self, "classes_"):
            likeliest: NDArray[Any] = self.classes_[self.predict_proba(x).argmax(axis=1)]
            return likeliest
        return self.sums(x)[:, 0]

    def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of the classes, shape (n, C)."""
        sums = self.sums(x)
        if self.link == "sigmoid":
            positive = 1 / (1 + np.exp(-np.clip(sums[:, :1], -500, 500)))
            return np.concatenate([1 - positive, positive], axis=1)
        if self.link == "softmax":
            powers = np.exp(sums - sums.max(axis=1, keepdims=True))
            sums = powers
        shares: NDArray[np.float64] = sums / sums.sum(axis=1, keepdims=True)
        return shares

    def check(self, num_features: int) -> None:
        """Check arrays that came from elsewhere, so that each walk ends at a leaf of its tree.

        Raises:
            DataError: They do not make trees of rows of this width.
        """
        names = ("roots_", "left_", "right_", "feature_", "threshold_", "value_", "start_")
        for name, kind in zip(names, "iiiifff", strict=True):
            array = getattr(self, name, None)
            if not isinstance(array, np.ndarray) or array.dtype.kind != kind:
                raise DataError(f"a tree's {name} must be an array of numbers")
        if self.link not in LINKS or not isinstance(self.is_single, bool):
            raise DataError("a sum of trees must have a link and a precision")
        num_nodes, num_outputs = len(self.left_), len(self.start_)
        vectors = (self.left_, self.right_, self.feature_, self.threshold_)
        if any(array.shape != (num_nodes,) for array in vectors) or not (
            1 <= num_nodes <= NODES_MAX
            and self.value_.shape == (num_nodes, num_outputs)
            and self.start_.shape == (num_outputs,)
            and self.roots_.ndim == 1
            and 1 <= len(self.roots_) <= num_nodes
        ):
            raise DataError("arrays of a sum of trees must have one entry for each node")
        self._check_nodes(num_nodes, num_features)

    def _check_nodes(self, num_nodes: int, num_features: int) -> None:
        if ((self.roots_ < 0) | (self.roots_ >= num_nodes)).any():
            raise DataError("a tree begins at a node that is not there")
        if ((self.feature_ < 0) | (self.feature_ >= num_features)).any():
            raise DataError(f"a tree splits by a feature beyond the {num_features} that there are")
        inner = np.flatnonzero(self.left_ >= 0)
        for children in (self.left_[inner], self.right_[inner]):
            # Children behind their parents: no walk can go round in circles.
            if ((children <= inner) | (children >= num_nodes)).any():
                raise DataError("a tree's children must come after their parent: it has a cycle")
        if not (np.isfinite(self.threshold_).all() and np.isfinite(self.value_).all()):
            raise DataError("thresholds and values of trees must be finite")

    def _leaves(self, x: NDArray[Any]) -> NDArray[np.int32]:
        """The leaf of each row in each tree, shape (n, trees)."""
        nodes = np.tile(self.roots_, (len(x), 1))
        flat = nodes.reshape(-1)
        rows = np.repeat(np.arange(len(x)), len(self.roots_))
        walking = np.flatnonzero(self.left_[flat] >= 0)
        while len(walking):
            at = flat[walking]
            goes_left = x[rows[walking], self.feature_[at]] <= self.threshold_[at]
            flat[walking] = np.where(goes_left, self.left_[at], self.right_[at])
            walking = walking[self.left_[flat[walking]] >= 0]
        return nodes


class Tree:
    """One fitted tree as arrays with an entry for each node."""

    def __init__(
        self,
        left: NDArray[Any],
        right: NDArray[Any],
        feature: NDArray[Any],
        threshold: NDArray[Any],
        value: NDArray[np.float64],
    ) -> None:
        self.left = left
        """Place of the left child; -1 at a leaf."""
        self.right = right
        self.feature = feature
        self.threshold = threshold
        self.value = value
        """Shape (nodes, outputs)."""
