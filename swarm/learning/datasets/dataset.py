"""Dataset: labels in memory; inputs stay where they are until some of them are needed."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from swarm.learning.datasets.description import DataDescription

Inputs = NDArray[Any] | dict[str, NDArray[Any]]
"""Inputs of n examples: one array (n, *shape), or several arrays by name."""


class Examples(Protocol):
    """The inputs of a split, in a fixed order."""

    def take(self, indices: NDArray[np.int64]) -> Inputs:
        """Copy the examples at `indices`: float32, or uint8 for pixels in 0..255.

        Of a session with `inputs`: of their types, and an object array of str for `string`.
        """
        ...


class ArrayExamples:
    """Examples in one array, in memory or memory-mapped."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Copy examples. See `Examples.take`."""
        return self._array[indices]


class SeveralExamples:
    """Examples of several inputs, by name."""

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._arrays = arrays

    def take(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Copy examples. See `Examples.take`."""
        return {name: array[indices] for name, array in self._arrays.items()}


@dataclass(frozen=True, slots=True)
class Split:
    """Examples and their targets."""

    x: Examples
    y: NDArray[Any]
    """Classification: int64 (n,), class numbers. Multi-label: float32 (n, K), 0 or 1. Regression:
    float32 (n, K)."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A training split and a test split of one shape. uint8 inputs mean 0..1 in 256 steps."""

    label: str
    stand_in: bool
    description: DataDescription
    train: Split
    test: Split
    notes: tuple[str, ...] = ()
    """What was decided about it, a line each."""
    doubts: tuple[str, ...] = ()
    """What makes results doubtful, a line each."""


def split_stratified(
    num_examples: int, labels: NDArray[np.int64] | None, test_share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sorted indices of a training split and a test split, with equal shares of each class.

    Args:
        num_examples: At least 2.
        labels: Class numbers, shape (n,); None if there are no classes.
        test_share: Part for the test, of each class with several examples.
        seed: Decides the split.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(num_examples)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    # Sorted by class and in random order within each, equal steps give equal shares.
    num_test = max(1, round(num_examples * test_share))
    places = ((np.arange(num_test) + 0.5) * num_examples / num_test).astype(np.int64)
    test = order[places]
    return np.setdiff1d(order, test), np.sort(test)


def split_at_random(num_examples: int, test_share: float, seed: int) -> tuple[Any, Any]:
    """Sorted indices of a training split and a test split."""
    order = np.random.default_rng(seed).permutation(num_examples)
    num_test = max(1, round(num_examples * test_share))
    return np.sort(order[num_test:]), np.sort(order[:num_test])
