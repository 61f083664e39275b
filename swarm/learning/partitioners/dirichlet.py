"""dirichlet: spreads each class over the peers in proportions drawn from a Dirichlet distribution.

Source:
    Hsu et al. 2019, arXiv:1909.06335 (the idea); Li et al. 2021, NIID-Bench, arXiv:2102.02079
    (per class; a part that already has its fair share of examples gets no more of a class).
"""

import numpy as np
from numpy.typing import NDArray

from swarm.learning.partitioners.partitioner import check_enough

PART_SIZE_MIN = 10
"""NIID-Bench draws again until every part has at least this number of examples."""
DRAWS_MAX = 50


class DirichletPartitioner:
    """Splits unevenly: the smaller `alpha`, the fewer classes dominate each part."""

    def __init__(self, alpha: float) -> None:
        self._alpha = alpha

    def partition(
        self, labels: NDArray[np.int64], num_parts: int, rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        """Split as iid does. Every part gets `PART_SIZE_MIN` examples if possible."""
        check_enough(len(labels), num_parts)
        size_min = min(PART_SIZE_MIN, len(labels) // num_parts)
        for _ in range(DRAWS_MAX):
            parts = self._draw(labels, num_parts, rng)
            if min(len(part) for part in parts) >= size_min:
                break
        else:
            _level(parts, size_min)
        return [np.sort(part) for part in parts]

    def _draw(
        self, labels: NDArray[np.int64], num_parts: int, rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        fair_share = len(labels) / num_parts
        parts: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * num_parts
        for label in np.unique(labels):
            indices = rng.permutation(np.flatnonzero(labels == label))
            shares = rng.dirichlet(np.full(num_parts, self._alpha))
            shares[[len(part) >= fair_share for part in parts]] = 0
            if not shares.sum() > 0:  # a tiny alpha underflows to zeros
                shares = np.array([float(len(part) < fair_share) for part in parts])
            cuts = (np.cumsum(shares / shares.sum())[:-1] * len(indices)).astype(np.int64)
            pieces = np.split(indices, cuts)
            parts = [np.concatenate(pair) for pair in zip(parts, pieces, strict=True)]
        return parts


def _level(parts: list[NDArray[np.int64]], size_min: int) -> None:
    """Move examples from the largest part until no part is below `size_min`."""
    while len(parts[small := min(range(len(parts)), key=lambda i: len(parts[i]))]) < size_min:
        large = max(range(len(parts)), key=lambda i: len(parts[i]))
        parts[small] = np.append(parts[small], parts[large][-1])
        parts[large] = parts[large][:-1]
