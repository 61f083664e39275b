"""A peer's part of the data: its training part and its test shard, in memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.data_summary import DataSummary
from swarm.core.session import SessionSpec
from swarm.learning.data_config import DataConfig
from swarm.learning.datasets.dataset import Dataset, Inputs
from swarm.learning.federation.seeds import Purpose, generator
from swarm.learning.partitioners import IidPartitioner, create_partitioner

UINT8_MAX = np.float32(255)
SUMMARISED_MAX = 2_000
"""Examples that are looked at for a summary."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Examples of one peer; uint8 inputs stay uint8 until a batch is taken."""

    x: Inputs
    y: NDArray[Any]
    """See `swarm.learning.datasets.dataset.Split`."""

    def __len__(self) -> int:
        return len(self.y)

    def batch(self, indices: Any) -> tuple[Inputs, NDArray[Any]]:
        """Inputs at `indices` as a Keras model takes them, and their targets.

        Pixels become float32 in [0, 1]. Several inputs are a dict by name.
        """
        if isinstance(self.x, dict):
            x = {name: _fed(array[indices]) for name, array in self.x.items()}
            return x, self.y[indices]
        return _fed(self.x[indices]), self.y[indices]


def summary_of(shard: Shard) -> DataSummary | None:
    """Summarise the inputs as a model sees them; None if they are no single array of numbers."""
    x, _ = shard.batch(slice(0, SUMMARISED_MAX))
    if isinstance(x, dict) or x.dtype.kind not in "fiu":
        return None
    values = (x.min(), x.max(), x.mean(dtype=np.float64), x.std(dtype=np.float64))
    low, high, mean, deviation = (float(f"{value:.3g}") for value in values)
    num_classes = len(np.unique(shard.y)) if shard.y.ndim == 1 else 0
    return DataSummary(low, high, mean, deviation, num_classes)


def _fed(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) / UINT8_MAX if array.dtype == np.uint8 else array


def take_shards(dataset: Dataset, spec: SessionSpec, config: DataConfig) -> tuple[Shard, Shard]:
    """Copy a peer's training part and test shard.

    The test split is always cut iid, into as many shards as there are parts. So the mean of the
    peers' accuracies, weighted by their examples, is exactly the accuracy on the whole test split,
    unless the session limits the size of the shards.

    Raises:
        LearningError: There are fewer examples than parts, or the partitioner needs classes.
    """
    index, count = config.partition_index, config.partition_count
    split_rng = generator(spec.seed, Purpose.TRAIN_SPLIT)
    part = create_partitioner(spec).partition(dataset.train.y, count, split_rng)[index]
    if 0 < spec.examples_per_peer_max < len(part):
        cap_rng = generator(spec.seed, Purpose.CAP, index)
        part = np.sort(cap_rng.choice(part, spec.examples_per_peer_max, replace=False))
    test_rng = generator(spec.seed, Purpose.TEST_SPLIT)
    test = IidPartitioner().partition(dataset.test.y, count, test_rng)[index]
    if spec.test_examples_per_peer_max > 0:
        test = test[: spec.test_examples_per_peer_max]
    return (
        Shard(dataset.train.x.take(part), dataset.train.y[part]),
        Shard(dataset.test.x.take(test), dataset.test.y[test]),
    )
