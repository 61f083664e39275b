"""Diagnosis: notices that a model does not learn, and names the likely cause and the setting.

The rules look for what healthy training never shows, so that a warning is worth reading:

- the inputs are far from 0..1 and from mean 0, deviation 1, and no layer of the model scales them;
- the loss is not finite;
- the loss of a round's last quarter is over twice that of its first, and worse than guessing;
- the accuracy of a whole round is that of a constant answer, and the units of a layer are dead, or
  no weight changes, or this has been so for many steps.

A pass through the model is only made when the accuracy is that of a constant answer.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import LearningError
from swarm.core.session import SessionSpec
from swarm.federation.effects import Finding
from swarm.learning.backend import keras
from swarm.learning.datasets.dataset import Inputs
from swarm.learning.federation.session_model import SessionModel
from swarm.learning.federation.shards import Shard
from swarm.learning.federation.weights_files import Weights

SAMPLE = 1000
"""Examples of which the inputs are looked at."""
PROBE = 100
"""Examples by which dead units are told."""
RMS_MAX, RMS_MIN = 5.0, 1e-3
"""Root mean square of inputs; about 0.5 for 0..1, and 1 for standardised values."""
STEPS_MIN, ROUNDS_MIN = 300, 3
"""A model that is still at chance after this does not learn. Healthy ones need 10 to 60 steps."""
BATCHES_MIN = 8
"""Fewer losses in a round say nothing about its course."""
GROWTH = 2.0
DEAD_SHARE = 0.95
MOVED_MIN = 1e-4
"""Relative change of the weights in a round under which they hardly move."""
_SCALING = frozenset(
    {
        "BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization",
        "RMSNormalization", "Embedding",
    }
)  # fmt: skip


class Diagnosis:
    """Watches the trainings of one learner."""

    def __init__(self, spec: SessionSpec, model: SessionModel, shard: Shard) -> None:
        self._model = model.keras
        self._rate = model.optimizer.rate
        self._shard = shard
        self.inputs = _inputs_finding(self._model, shard.x)
        """What is unusual about the inputs."""
        has_classes = spec.task == "classification"
        self._chance, self._entropy = _guessing(shard.y) if has_classes else (1.0, 0.0)
        self._steps = self._rounds = 0
        """At chance so far, without a break."""
        self._before: Weights = {}
        self._losses: list[float] = []
        self._num_correct = 0.0
        self._num_seen = 0

    def begin(self, before: Weights) -> None:
        """Note that a training begins from these weights."""
        self._before = before
        self._losses, self._num_correct, self._num_seen = [], 0.0, 0

    def note_batch(self, means: NDArray[np.float64], num_examples: int) -> None:
        """Note a step.

        Args:
            means: Mean score metric and mean loss, shape (2,).
            num_examples: Examples in the batch.

        Raises:
            LearningError: The loss is not finite; the message says what to change.
        """
        metric, loss = means.tolist()
        if not math.isfinite(loss):
            raise LearningError(
                f"training diverged, the loss is not a finite number: {self._remedy()}"
            )
        self._losses.append(loss)
        self._num_correct += metric * num_examples
        self._num_seen += num_examples

    def end(self, after: Weights) -> Finding | None:
        """Say why the model may not learn, after a training that ended with these weights."""
        return self._growing() or self._at_chance(after) or self.inputs

    def _growing(self) -> Finding | None:
        quarter = len(self._losses) // 4
        if len(self._losses) < BATCHES_MIN:
            return None
        first, last = np.mean(self._losses[:quarter]), np.mean(self._losses[-quarter:])
        if last <= GROWTH * first or last <= self._entropy:
            return None
        text = f"the loss grows within a round ({first:.3g} -> {last:.3g}): {self._remedy()}"
        return Finding("loss-grows", text)

    def _at_chance(self, after: Weights) -> Finding | None:
        p, n = self._chance, max(1, self._num_seen)
        accuracy = self._num_correct / n
        # An own train_step may measure nothing but the loss: then the accuracy is 0.
        if p >= 1 or not 0 < accuracy <= p + 2 * math.sqrt(p * (1 - p) / n):
            self._steps = self._rounds = 0
            return None
        self._steps += len(self._losses)
        self._rounds += 1
        what = f"accuracy is that of a constant answer ({accuracy:.0%})"
        dead, moved = self._dead_share(), _relative_change(self._before, after)
        if dead >= DEAD_SHARE:
            cause = f"{dead:.0%} of a layer's ReLU units give 0 for every example"
            text = f"{what}, and {cause}: {self._remedy()}, and start anew"
            return Finding("dead-units", text)
        if moved == 0:
            return Finding("no-gradient", f"{what}, and no weight changes: {self._remedy()}")
        if self._steps < STEPS_MIN or self._rounds < ROUNDS_MIN:
            return None
        text = f"{what} after {self._steps} steps{self._likely_cause(moved)}"
        return Finding("at-chance", text)

    def _likely_cause(self, moved: float) -> str:
        if self.inputs is not None:
            return f": {self.inputs.text}"
        if moved < MOVED_MIN:
            rate = self._rate
            changed = f"raise learning_rate, now {rate:g}, to {10 * rate:g}"
            return f", and the weights hardly change: {changed}"
        return ": check that the labels belong to the inputs, or try another learning_rate"

    def _remedy(self) -> str:
        """What to change if steps were too large for the model."""
        if self.inputs is not None:
            return self.inputs.text
        rate = self._rate
        return f"lower learning_rate, now {rate:g}, to {rate / 4:g}"

    def _dead_share(self) -> float:
        """Share of units that give 0 for a whole batch, in the ReLU layer where most do."""
        model = self._model
        # Only graphs of layers know what each layer gives. Keras' class for them is not public.
        if not isinstance(model, keras.Sequential) and type(model).__name__ != "Functional":
            return 0.0
        try:
            outputs = [layer.output for layer in model.layers if _is_relu(layer)]
            if not outputs:
                return 0.0
            given = self._given_by(model, outputs)
        except Exception:
            # A layer that was taken from another model has the output that it has there, and one
            # that is used twice has none of its own. Keras raises various errors, and a diagnosis
            # must not end a training.
            return 0.0
        return max(1 - float(np.any(v, axis=tuple(range(v.ndim - 1))).mean()) for v in given)

    def _given_by(self, model: Any, outputs: list[Any]) -> list[NDArray[Any]]:
        """What some layers of a model give for the first examples."""
        x, _ = self._shard.batch(slice(0, PROBE))
        inputs = {tensor.name: tensor for tensor in model.inputs}
        fed = x if isinstance(x, dict) else dict.fromkeys(inputs, x)
        values = keras.Model(inputs, outputs)(fed, training=False)
        return [keras.ops.convert_to_numpy(v) for v in (values if len(outputs) > 1 else [values])]


def _inputs_finding(model: Any, x: Inputs) -> Finding | None:
    """What is unusual about the range of inputs that are floats, or None."""
    if _scales(model):
        return None
    for name, array in (x if isinstance(x, dict) else {"": x}).items():
        if array.dtype.kind == "f" and len(array):
            sample = array[:: -(-len(array) // SAMPLE)]
            seen = sample if name else _rescaled(model, sample)
            text = _unusual(float(np.sqrt(np.mean(np.square(seen, dtype=np.float64)))), sample)
            if text:
                return Finding("inputs", f"inputs{f' {name!r}' if name else ''} {text}")
    return None


def _rescaled(model: Any, sample: NDArray[Any]) -> NDArray[Any]:
    """What the model's first layers that only scale make of inputs."""
    values: Any = sample
    for layer in model.layers:
        if isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization):
            values = layer(values)
        elif not isinstance(layer, keras.layers.InputLayer):
            break
    return np.asarray(keras.ops.convert_to_numpy(values))


def _unusual(rms: float, sample: NDArray[Any]) -> str:
    """Say so if the root mean square of what the first trained layer sees is unusual."""
    low, high = float(sample.min()), float(sample.max())
    if rms > RMS_MAX and low >= 0 and 128 <= high <= 255:
        return f"reach {high:g}: divide them by 255, or store them as uint8"
    if rms > RMS_MAX or 0 < rms < RMS_MIN:
        usual = "scale them to about 0..1, or to mean 0 and deviation 1"
        return f"lie in {low:.3g}..{high:.3g}: {usual}"
    return ""


def _guessing(labels: NDArray[Any]) -> tuple[float, float]:
    """Accuracy of the best constant answer, and loss of the best constant probabilities."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(shares.max()), float(-(shares * np.log(shares)).sum())


def _relative_change(before: Weights, after: Weights) -> float:
    """Length of the change over the length of the weights, of all kernels (not biases)."""
    kernels = [key for key in before if before[key].ndim > 1]
    if not kernels:
        return math.inf
    pairs = [(before[key].astype(np.float64), after[key].astype(np.float64)) for key in kernels]
    change = math.sqrt(sum(float(np.sum((b - a) ** 2)) for a, b in pairs))
    return change / max(1e-12, math.sqrt(sum(float(np.sum(a**2)) for a, _ in pairs)))


def _scales(model: Any) -> bool:
    """Whether some layer, also of a nested model, brings its inputs to a usual range."""
    layers = getattr(model, "layers", ())
    return any(type(layer).__name__ in _SCALING or _scales(layer) for layer in layers)


def _is_relu(layer: Any) -> bool:
    if isinstance(layer, keras.layers.ReLU):
        return True
    return getattr(layer, "activation", None) is keras.activations.relu
