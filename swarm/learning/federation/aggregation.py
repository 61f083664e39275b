"""combine(): the weighted mean of contributions, by federated_average()."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import NoContributionsError, ShapeMismatchError
from swarm.learning.federation.weights_files import Weights


def combine(base: Weights, contributions: Sequence[tuple[Weights, float]]) -> Weights:
    """Average contributions into an aggregate with the base's keys and shapes.

    A mean of weighted means is the weighted mean, so clusters' aggregates combine as well.

    Args:
        base: Weights that the contributions were trained from.
        contributions: Weights that passed the gates and the examples behind them, in the order
            that decides rounding; at least one.

    Raises:
        NoContributionsError: There is none.
    """
    layers = federated_average(
        [[weights[key] for key in base] for weights, _ in contributions],
        [num_examples for _, num_examples in contributions],
    )
    return dict(zip(base, layers, strict=True))


def federated_average(
    weights: Sequence[Sequence[NDArray[np.float32]]], num_examples: Sequence[float]
) -> list[NDArray[np.float32]]:
    """Average peers' weights, each in proportion to its number of examples.

    Sums in float64 and in the given order, so equal inputs give equal bytes.

    Args:
        weights: One entry per peer; each a list of layers, layer l of shape S_l,
            the same S_l for every peer.
        num_examples: n_k, examples behind each entry, in the same order; positive, and not a
            whole number where a stale contribution is discounted.

    Returns:
        Layers of shapes S_l, float32: sum over k of (n_k / n) * w_k, with n = sum of n_k.

    Raises:
        NoContributionsError: `weights` is empty.
        ShapeMismatchError: Two peers' layers differ in number or shape.

    Source:
        McMahan et al. 2017, Algorithm 1 (FedAvg), arXiv:1602.05629.

    Example:
        >>> ones, fours = np.ones((2, 1), np.float32), np.full((2, 1), 4, np.float32)
        >>> federated_average([[ones], [fours]], num_examples=[2, 1])[0].tolist()
        [[2.0], [2.0]]
    """
    if not weights:
        raise NoContributionsError("no contributions to average")
    shapes = [layer.shape for layer in weights[0]]
    for k, layers in enumerate(weights):
        if [layer.shape for layer in layers] != shapes:
            raise ShapeMismatchError(
                f"contribution {k} does not have the layers of contribution 0"
            )
    total = sum(num_examples)
    averaged = []
    for layer_of_peers in zip(*weights, strict=True):
        mean = np.zeros(layer_of_peers[0].shape, np.float64)
        for layer, n in zip(layer_of_peers, num_examples, strict=True):
            mean += layer * np.float64(n / total)
        averaged.append(mean.astype(np.float32))
    return averaged
