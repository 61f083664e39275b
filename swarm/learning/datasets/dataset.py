"""Dataset: labels in memory; inputs stay where they are until some of them are needed."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError


class Examples(Protocol):
    """The inputs of a split, in a fixed order."""

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Copy the examples at `indices`, as uint8 or float32 (len(indices), *shape)."""
        ...


class ArrayExamples:
    """Examples in one array, in memory or memory-mapped."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Copy examples. See `Examples.take`."""
        return self._array[indices]


@dataclass(frozen=True, slots=True)
class Split:
    """Examples and their labels."""

    x: Examples
    y: NDArray[np.int64]
    """Shape (n,)."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A training split and a test split of one shape. uint8 inputs mean 0..1 in 256 steps."""

    label: str
    stand_in: bool
    input_shape: tuple[int, ...]
    num_classes: int
    train: Split
    test: Split

    def check_fits(self, input_shape: tuple[int, ...], num_classes: int) -> None:
        """Check the shape of examples and the number of classes against the session.

        Raises:
            DataError: The shape differs, or the data set has more classes.
        """
        if self.input_shape != input_shape:
            raise DataError(
                f"{self.label} has examples of shape {self.input_shape}, "
                f"the session's are {input_shape}"
            )
        if self.num_classes > num_classes:
            raise DataError(
                f"{self.label} has {self.num_classes} classes, the session has {num_classes}"
            )


def split_at_random(num_examples: int, test_share: float, seed: int) -> tuple[Any, Any]:
    """Sorted indices of a training split and a test split."""
    order = np.random.default_rng(seed).permutation(num_examples)
    num_test = max(1, round(num_examples * test_share))
    return np.sort(order[num_test:]), np.sort(order[:num_test])
