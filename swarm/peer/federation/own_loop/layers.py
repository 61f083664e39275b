"""Layers: names, shapes and order of a model's weights, here and in the session.

Two programs build the same model under different names: Keras numbers layers as it makes them.
So weights are matched by their place. Names only serve to say what differs.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import LearningError, ShapeMismatchError
from swarm.learning.federation.weights_files import Weights, weight_key

Array = NDArray[np.float32]
_VARIANCES = ("moving_variance", "running_var")
"""Ends of the names that Keras and PyTorch give to the variances of batch normalisation."""


class Layers:
    """The weights of one model that are exchanged.

    Invariant: `keys` are as many as `names`, in the same order.
    """

    def __init__(self, names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> None:
        """Take a model's weights, in its order.

        Raises:
            LearningError: There is none.
        """
        if not names:
            raise LearningError("the model has no weights of a floating type: build it first")
        self.names = tuple(names)
        self.shapes = tuple(shapes)
        self.keys = tuple(weight_key(i, name) for i, name in enumerate(names))
        """Keys of the weights in the session's files; those of its first peer."""

    def adopt_keys(self, theirs: Weights) -> None:
        """Use the keys of a session's weights from now on.

        Raises:
            ShapeMismatchError: The session's model has other weights; the message names the
                first layer that differs.
        """
        keys = sorted(theirs, key=_place)
        for name, shape, key in zip(self.names, self.shapes, keys, strict=False):
            if theirs[key].shape != shape:
                raise ShapeMismatchError(
                    f"this model is not the swarm's: {name} has shape {shape} here, "
                    f"and {theirs[key].shape} in the swarm ({key})"
                )
        if len(keys) != len(self.names):
            longer = self.names if len(self.names) > len(keys) else keys
            raise ShapeMismatchError(
                f"this model is not the swarm's: it has {len(self.names)} weights, and the "
                f"swarm's has {len(keys)}; the first that only one has is "
                f"{longer[min(len(keys), len(self.names))]}"
            )
        self.keys = tuple(keys)

    def weights(self, arrays: Sequence[Array]) -> Weights:
        """The model's arrays under the session's keys.

        Raises:
            LearningError: A value is not finite.
        """
        for name, array in zip(self.names, arrays, strict=True):
            if not np.isfinite(array).all():
                raise LearningError(
                    f"the weights must be finite to be averaged, and {name} is not: "
                    "the training diverged, so lower the learning rate"
                )
        return dict(sorted(zip(self.keys, arrays, strict=True)))

    def arrays(self, weights: Weights) -> list[Array]:
        """The arrays of the session's weights in the model's order.

        A variance is at least 0: a stale update may have moved it below, and batch normalisation
        would take its square root.
        """
        return [
            np.maximum(weights[key], 0) if name.endswith(_VARIANCES) else weights[key]
            for name, key in zip(self.names, self.keys, strict=True)
        ]


def _place(key: str) -> tuple[int, str]:
    number = key.partition("/")[0]
    return (int(number), key) if number.isdecimal() else (0, key)
