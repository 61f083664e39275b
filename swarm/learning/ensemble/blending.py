"""blend(): the combined answer of each row, and how far members are apart."""

import numpy as np
from numpy.typing import NDArray

from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import Floats, to_target_unit

_TIE_SHARE = 1e-6
"""What mean probabilities add to votes, so that they decide ties."""


def blend(rule: str, weights: Floats, stack: Floats, usable: NDArray[np.bool_]) -> Floats:
    """Combine k answers to n rows.

    Args:
        rule: `mean`, `median`, `hard`, `skill` or `stacking`.
        weights: Shape (k,).
        stack: Shape (k, n, outputs), on the scale of the transform.
        usable: Shape (k, n). An answer that is not usable has no weight in its row.

    Returns:
        Shape (n, outputs), on that scale; NaN where no answer is usable.
    """
    shares = row_weights(weights, usable)
    clean = np.where(usable[:, :, None], stack, 0.0)
    if rule == "median":
        counted = np.where((shares > 0)[:, :, None], stack, np.nan)
        blended = np.full(stack.shape[1:], np.nan)
        rows = (shares > 0).any(axis=0)
        blended[rows] = np.nanmedian(counted[:, rows], axis=0)
        return blended
    mean: Floats = np.einsum("kn,kno->no", shares, clean)
    if rule == "hard":
        votes = np.eye(stack.shape[2])[clean.argmax(axis=2)]
        counts = np.einsum("kn,kno->no", shares, votes) + _TIE_SHARE * mean
        mean = counts / (1 + _TIE_SHARE)
    mean[~usable.any(axis=0)] = np.nan
    return mean


def row_weights(weights: Floats, usable: NDArray[np.bool_]) -> Floats:
    """Weights of each row's usable answers, sum 1; equal where those have weight 0.

    Returns:
        Shape (k, n); a column of zeros where no answer is usable.
    """
    shares = weights[:, None] * usable
    shares = np.where(shares.sum(axis=0) > 0, shares, usable.astype(np.float64))
    normed: Floats = shares / np.maximum(shares.sum(axis=0), 1e-300)
    return normed


def spread_of(
    spec: EnsembleSpec, weights: Floats, stack: Floats, usable: NDArray[np.bool_], blended: Floats
) -> Floats:
    """How far members are apart in each row, in proportion to their weights.

    Returns:
        Shape (n,). Of a regression the standard deviation of their answers, in the target's
        unit. Of classes the share of the weights that is for another class than the combination.
    """
    shares = row_weights(weights, usable)
    if spec.classes:
        differs = stack.argmax(axis=2) != blended.argmax(axis=1)
        share: Floats = np.einsum("kn,kn->n", shares, differs)
        return share
    values = np.where(usable, to_target_unit(spec, stack)[:, :, 0], 0.0)
    mean = np.einsum("kn,kn->n", shares, values)
    variance = np.einsum("kn,kn->n", shares, (values - mean) ** 2)
    return np.where(usable.any(axis=0), np.sqrt(variance), np.nan)
