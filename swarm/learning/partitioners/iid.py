"""iid: cuts a random permutation into parts whose sizes differ by at most one."""

import numpy as np
from numpy.typing import NDArray

from swarm.learning.partitioners.partitioner import check_enough


class IidPartitioner:
    """Splits evenly: every part is a uniform sample of the whole."""

    def partition(
        self, labels: NDArray[np.int64], num_parts: int, rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        """Split the examples among peers: each into exactly one part, and no part is empty.

        Args:
            labels: y of shape (n,), the examples' classes.
            num_parts: At least 1.
            rng: Decides the split; the same seed gives the same split.

        Returns:
            Sorted indices into `labels`, one array per part.

        Raises:
            DataError: There are fewer examples than parts.
        """
        check_enough(len(labels), num_parts)
        return [np.sort(part) for part in np.array_split(rng.permutation(len(labels)), num_parts)]
