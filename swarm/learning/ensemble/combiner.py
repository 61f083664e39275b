"""The trained combiner: a small network over all members' answers.

Members train it in an ordinary federated session, each on its own validation rows, with answers of
all models to them; rows stay home. This is FENS (Allouah et al. 2024, arXiv:2411.07182).

For k models with answers a_i, their default combination y = sum of w_i a_i and a scale s, the
network f of a regression sees how far the models are from y, and corrects y:

    y + s f((a_1 - y) / s, ..., (a_k - y) / s)

For classes it sees logarithms of probabilities, and gives logits. A model that did not answer
counts as if it had answered like the others together. numpy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from swarm.core.errors import DataError
from swarm.core.ids import Digest
from swarm.core.session import SessionSpec
from swarm.ensemble.records import CombinerRecord
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import Floats, usable_rows
from swarm.learning.ensemble.blending import blend

MODEL = "mlp"
"""The built-in model of the session: one hidden layer."""
LEARNING_RATES = {"regression": 0.001, "classification": 0.005}
"""Of Adam. Classes have more to learn; a regression begins near the default combination."""
FILE_BYTES_MAX = 64 << 20
HELD_OUT = 0.3
"""Share of the validation rows that it is not trained on: they measure it, and its residuals."""
_PROBABILITY_MIN = 1e-4
_LOG_SCALE = 4.0
"""Brings logarithms of probabilities to about -2..0."""


def combiner_session(
    spec: EnsembleSpec, record: CombinerRecord, *, rounds: int, min_peers: int
) -> SessionSpec:
    """The federated session that trains the combiner of these models."""
    task = "classification" if spec.classes else "regression"
    return SessionSpec(
        model=MODEL,
        dataset="own",
        input_shape=(len(record.versions) * spec.num_outputs,),
        task=task,
        num_classes=spec.num_outputs,
        rounds=rounds,
        batch_size=32,
        optimizer="adam",
        learning_rate=LEARNING_RATES[spec.task],
        min_peers=min_peers,
        seed=spec.seed,
    )


def combiner_examples(
    spec: EnsembleSpec, record: CombinerRecord, stack: Floats, truth: Floats
) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
    """One member's examples, by the names that an `.npz` file of a session has.

    Args:
        spec: The ensemble.
        record: Which models, in which order.
        stack: Their answers to n validation rows, shape (k, n, outputs).
        truth: Shape (n,): targets on the scale of the transform, or indices of classes.
    """
    usable = usable_rows(spec, stack)
    rows = usable.any(axis=0)
    held = held_out(len(truth), spec.seed)[rows]
    inputs, centre = _inputs(spec, record, stack[:, rows], usable[:, rows])
    truth = truth[rows]
    targets: NDArray[np.float32] | NDArray[np.int64]
    if spec.classes:
        targets = truth.astype(np.int64)
    else:
        targets = ((truth - centre[:, 0]) / record.scale).astype(np.float32)[:, None]
    return {
        "x_train": inputs[~held],
        "y_train": targets[~held],
        "x_test": inputs[held],
        "y_test": targets[held],
    }


def held_out(num_rows: int, seed: int) -> NDArray[np.bool_]:
    """Which validation rows the combiner is not trained on; shape (n,)."""
    order = np.random.default_rng(seed % 2**32).permutation(num_rows)
    held = np.zeros(num_rows, np.bool_)
    held[order[: max(1, round(HELD_OUT * num_rows))]] = True
    return held


@dataclass(frozen=True, slots=True, eq=False)
class Combiner:
    """A trained combiner that can be asked."""

    record: CombinerRecord
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    """Kernel and bias of each dense layer."""

    @classmethod
    def load(cls, spec: EnsembleSpec, record: CombinerRecord, path: Path) -> "Combiner":
        """Read the weights that the session ended with; nothing of the file is run.

        Raises:
            DataError: It is no weights file of this combiner.
        """
        if path.stat().st_size > FILE_BYTES_MAX:
            raise DataError(f"a combiner must have at most {FILE_BYTES_MAX} bytes")
        try:
            arrays = load(path.read_bytes())
        except (SafetensorError, ValueError, KeyError) as error:
            raise DataError(f"a combiner must be a safetensors file: {error}") from error
        kernels = [arrays[key] for key in sorted(arrays)]
        layers = tuple(zip(kernels[::2], kernels[1::2], strict=False))
        sizes = [len(record.versions) * spec.num_outputs, *(len(bias) for _, bias in layers)]
        fits = len(kernels) == 2 * len(layers) and sizes[-1] == spec.num_outputs and layers
        if not fits or any(
            kernel.shape != (before, after)
            for (kernel, _), before, after in zip(layers, sizes, sizes[1:], strict=False)
        ):
            raise DataError("a combiner's layers must fit the number of models and outputs")
        if not all(np.isfinite(array).all() for array in kernels):
            raise DataError("a combiner's weights must be finite")
        return cls(record, layers)

    def covers(self, versions: Sequence[Digest]) -> bool:
        """Whether all these models are among its inputs."""
        return set(versions) <= set(self.record.versions)

    def combine(
        self,
        spec: EnsembleSpec,
        versions: Sequence[Digest],
        stack: Floats,
        usable: NDArray[np.bool_],
    ) -> Floats:
        """Combine answers of some or all of its models.

        Args:
            spec: The ensemble.
            versions: The m models that answered.
            stack: Shape (m, n, outputs), on the scale of the transform.
            usable: Shape (m, n).

        Returns:
            Shape (n, outputs), on that scale; NaN where no answer is usable.
        """
        size = len(self.record.versions)
        whole = np.zeros((size, *stack.shape[1:]))
        known = np.zeros((size, stack.shape[1]), np.bool_)
        places = [self.record.versions.index(version) for version in versions]
        whole[places], known[places] = stack, usable
        x, centre = _inputs(spec, self.record, whole, known)
        for number, (kernel, bias) in enumerate(self.layers):
            x = np.maximum(x, 0) @ kernel + bias if number else x @ kernel + bias
        combined = (
            _softmax(x.astype(np.float64))
            if spec.classes
            else centre + self.record.scale * x.astype(np.float64)
        )
        combined[~usable.any(axis=0)] = np.nan
        return combined


def _inputs(
    spec: EnsembleSpec, record: CombinerRecord, stack: Floats, usable: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], Floats]:
    """Inputs of the network, shape (n, k * outputs), and the default combination."""
    weights = np.array(record.weights)
    centre = blend("skill", weights, stack, usable)
    filled = np.where(usable[:, :, None], stack, centre)
    if spec.classes:
        inputs = np.log(np.maximum(filled, _PROBABILITY_MIN)) / _LOG_SCALE
    else:
        inputs = (filled - centre) / record.scale
    rows = inputs.transpose(1, 0, 2).reshape(stack.shape[1], -1)
    return np.nan_to_num(rows).astype(np.float32), centre


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    normed: Floats = powers / powers.sum(axis=1, keepdims=True)
    return normed
