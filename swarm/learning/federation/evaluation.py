"""evaluate(): accuracy and loss of a model on a shard."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.learning.datasets.dataset import Inputs
from swarm.learning.federation.jobs import Evaluation
from swarm.learning.federation.shards import Shard

BATCH = 250
PROBABILITY_MIN = 1e-12


def evaluate(model: Any, shard: Shard, *, logits: bool, tick: Any) -> Evaluation:
    """Accuracy and mean cross-entropy of `model` on `shard`.

    Args:
        model: From `swarm.learning.models.create_model`, compiled.
        shard: At least one example.
        logits: Whether the model's outputs are logits; probabilities otherwise.
        tick: Called with the finished fraction after each batch.
    """
    num_correct, total_loss = 0, 0.0
    for start in range(0, len(shard), BATCH):
        x, y = shard.batch(slice(start, start + BATCH))
        outputs = np.asarray(model.predict_on_batch(_padded(x)), np.float64)[: len(y)]
        num_correct += int((outputs.argmax(axis=1) == y).sum())
        total_loss += float(_cross_entropy(outputs, y, logits=logits).sum())
        tick((start + len(y)) / len(shard))
    return Evaluation(num_correct / len(shard), total_loss / len(shard), len(shard))


def _padded(x: Inputs) -> Inputs:
    """Fill the last batch up with copies of an example: Keras compiles again for each shape."""
    if isinstance(x, dict):
        return {name: _padded_array(array) for name, array in x.items()}
    return _padded_array(x)


def _padded_array(x: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([x, np.repeat(x[-1:], BATCH - len(x), axis=0)])


def _cross_entropy(
    outputs: NDArray[np.float64], labels: NDArray[np.int64], *, logits: bool
) -> NDArray[np.float64]:
    """-log p(label), from (n, C) outputs and (n,) labels: (n,)."""
    rows = np.arange(len(labels))
    if not logits:
        return -np.log(np.maximum(outputs[rows, labels], PROBABILITY_MIN))
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    losses: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, labels]
    return losses
