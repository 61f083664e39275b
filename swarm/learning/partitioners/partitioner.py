"""Partitioner: the protocol of every way to split a data set."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError


class Partitioner(Protocol):
    """Splits a data set: every example goes into exactly one part, and no part is empty."""

    def partition(
        self, labels: NDArray[np.int64], num_parts: int, rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        """Split the examples among peers.

        Args:
            labels: y of shape (n,), the examples' classes.
            num_parts: At least 1.
            rng: Decides the split; the same seed gives the same split.

        Returns:
            Sorted indices into `labels`, one array per part.

        Raises:
            DataError: There are fewer examples than parts.
        """
        ...


def check_enough(num_examples: int, num_parts: int) -> None:
    """Check that there is at least one example for each part.

    Raises:
        DataError: There are fewer.
    """
    if num_examples < num_parts:
        raise DataError(f"{num_examples} examples cannot be split among {num_parts} peers")
