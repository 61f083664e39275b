"""evaluate(): score and loss of a model on a shard."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.learning.datasets.dataset import Inputs
from swarm.learning.federation.shards import Shard
from swarm.learning.models.objective import Objective
from swarm.learning.progress import Evaluation

BATCH = 250


def evaluate(
    model: Any, shard: Shard, objective: Objective, tick: Any, rows: int = BATCH
) -> Evaluation:
    """Score and mean loss of `model` on `shard`.

    Args:
        model: A Keras model.
        shard: At least one example.
        objective: The session's.
        tick: Called with the finished fraction after each batch.
        rows: Examples in a batch.
    """
    sums = np.zeros(2)
    for start in range(0, len(shard), rows):
        x, y = shard.batch(slice(start, start + rows))
        outputs = np.asarray(model.predict_on_batch(_padded(x, rows)), np.float64)[: len(y)]
        means = (objective.mean_metric(outputs, y), objective.mean_loss(outputs, y))
        sums += np.array(means) * len(y)
        tick((start + len(y)) / len(shard))
    metric, loss = (sums / len(shard)).tolist()
    return Evaluation(objective.score(metric, spread(shard)), loss, len(shard))


def spread(shard: Shard) -> float:
    """Mean squared distance of a shard's numbers from their means; 0 for classes."""
    y = shard.y
    return float(np.square(y - y.mean(axis=0)).mean()) if y.dtype.kind == "f" else 0.0


def _padded(x: Inputs, rows: int) -> Inputs:
    """Fill a batch up to `rows` with copies: Keras compiles again for each new shape."""
    if isinstance(x, dict):
        return {name: padded_array(array, rows) for name, array in x.items()}
    return padded_array(x, rows)


def padded_array(x: NDArray[Any], rows: int) -> NDArray[Any]:
    """Fill an array up to `rows` with copies of its last row."""
    return np.concatenate([x, np.repeat(x[-1:], rows - len(x), axis=0)])
