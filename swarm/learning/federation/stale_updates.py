"""Folding stale contributions and merging branches: weights that began somewhere else."""

import numpy as np
from numpy.typing import NDArray

from swarm.learning.federation.weights_files import Weights


def rebase(weights: Weights, trained_from: Weights, base: Weights) -> Weights:
    """Apply an update that was trained from an older base to this round's base.

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
    """Add a branch's part of what two lineages learnt apart.

    Args:
        base: Weights of the head that the round started from.
        combined: What the round's contributions were combined to.
        branch: Weights of the other lineage's last head.
        share: Examples behind the branch over those behind both, since they parted; in (0, 1].

    Returns:
        combined + share * (branch - base), per array.
    """
    return {
        key: _float32(combined[key], share * np.subtract(branch[key], base[key], dtype=np.float64))
        for key in base
    }


def _float32(array: NDArray[np.float32], change: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # an infinity is what the gate after this looks for
        moved: NDArray[np.float32] = (array + change).astype(np.float32)
    return moved
