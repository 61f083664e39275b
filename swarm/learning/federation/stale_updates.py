"""Stale updates and branches: how weights that began from another base are used.

Theory of operation. A round averages weights that were trained from one base. Two kinds of work
began somewhere else and would be lost otherwise:
rebase   a stale contribution, trained from an older base b0 to w, while the cluster moved on to b:
         its update w - b0 is applied to b, and averaged like the others, at a discount;
merge    a branch: another lineage that parted from ours, for instance in a network partition.
         Its difference from the base is added to the combined weights, in proportion to the
         examples behind it. The common past is in both and cancels out in the difference.
Sums are in float64. An infinity that results is found by the gates, which check the result again.
"""

import numpy as np
from numpy.typing import NDArray

from swarm.learning.federation.weights_files import Weights


def rebase(weights: Weights, trained_from: Weights, base: Weights) -> Weights:
    """Apply a stale contribution's update to this round's base.

    Args:
        weights: The stale contribution.
        trained_from: The older base that it was trained from.
        base: The base of this round.

    Returns:
        base + (weights - trained_from), per array; the shapes of `base`.

    Source:
        Nguyen et al. 2022, "Federated Learning with Buffered Asynchronous Aggregation" (FedBuff),
        arXiv:2106.06639.
    """
    return {
        key: _float32(base[key], np.subtract(weights[key], trained_from[key], dtype=np.float64))
        for key in base
    }


def merge(base: Weights, combined: Weights, branch: Weights, share: float) -> Weights:
    """Add what a branch has learnt to the combined weights of a round.

    Args:
        base: Weights of the head that the round started from.
        combined: The round's combined contributions.
        branch: Weights of the other lineage's last head.
        share: Examples behind the branch divided by those behind both, since they parted; in
            (0, 1].

    Returns:
        combined + share * (branch - base), per array.
    """
    return {
        key: _float32(combined[key], share * np.subtract(branch[key], base[key], dtype=np.float64))
        for key in base
    }


def _float32(array: NDArray[np.float32], change: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # a gate checks the result for infinities
        moved: NDArray[np.float32] = (array + change).astype(np.float32)
    return moved
