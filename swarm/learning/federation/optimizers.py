"""SessionOptimizer: the session's Keras optimizer, compiled once, fresh in each round."""

from typing import Any

import numpy as np

from swarm.core.session import SessionSpec
from swarm.learning.backend import keras

DEFAULT_RATES = {"sgd": 0.05, "adam": 0.001}
"""Learning rates where neither the session nor the model names one."""


class SessionOptimizer:
    """The optimizer that the session names, or else the one that the model was compiled with.

    What the session's starter set explicitly wins over what the model was compiled with. A
    learning-rate schedule goes on from round to round: its step is the number of batches that this
    peer has trained in the session, and so does the warm-up: the rate rises in proportion to the
    first `warmup_steps` batches. Everything else begins anew in each round.
    """

    def __init__(self, spec: SessionSpec, own: Any, *, clips: bool = True) -> None:
        """Create it.

        Args:
            spec: The session.
            own: The optimizer that the model was compiled with, or None.
            clips: Whether gradients may be clipped; Keras clips those of float32 weights only.
        """
        self._spec = spec
        self._schedule: Any = None
        self._decay = 1.0
        self._warmup_steps = spec.warmup_steps
        clip_norm = (spec.clip_norm or None) if clips else None
        if spec.optimizer == "auto" and own is not None:
            self.keras = self._like(own)
            self._warmup_steps = 0  # what was compiled is used as it is
        elif spec.optimizer == "adam":
            rate = float(spec.learning_rate or DEFAULT_RATES["adam"])  # Keras refuses integers
            self.keras = keras.optimizers.Adam(rate, global_clipnorm=clip_norm)
        else:
            rate = float(spec.learning_rate or DEFAULT_RATES["sgd"])
            self.keras = keras.optimizers.SGD(
                rate, momentum=spec.momentum, global_clipnorm=clip_norm
            )
        self._rate = float(self.keras.learning_rate)
        self._initial: list[Any] = []
        self._variables: list[Any] = []

    @property
    def rate(self) -> float:
        """Learning rate of round 1."""
        return self._rate

    @property
    def text(self) -> str:
        """Name and learning rate, such as "Adam(0.001)"."""
        rate = f"{self._rate:.3g}" if self._schedule is None else type(self._schedule).__name__
        return f"{type(self.keras).__name__}({rate})"

    def build(self, model: Any) -> None:
        """Create the moments, once `model` is compiled with `keras`."""
        model.optimizer.build(model.trainable_variables)
        self._variables = model.optimizer.variables
        # Most begin at 0; the scale of mixed precision does not.
        self._initial = [np.array(keras.ops.convert_to_numpy(v)) for v in self._variables]

    def start_round(self, round_number: int) -> None:
        """Set all moments to their first values, and set the round's learning rate.

        With a new optimizer, Keras would compile the training step again: 0.6 s per round.
        """
        for variable, value in zip(self._variables, self._initial, strict=True):
            variable.assign(value)
        self._decay = self._spec.learning_rate_decay ** (round_number - 1)
        self.keras.learning_rate = self._rate * self._decay

    def start_batch(self, step: int) -> None:
        """Follow a schedule or the warm-up; `step` is the number of batches trained before."""
        if self._schedule is not None:
            self.keras.learning_rate = float(self._schedule(step)) * self._decay
        elif step <= self._warmup_steps:
            share = min(1.0, (step + 1) / max(1, self._warmup_steps))
            self.keras.learning_rate = self._rate * self._decay * share

    def _like(self, own: Any) -> Any:
        config = own.get_config()
        rate = config["learning_rate"]
        if self._spec.learning_rate:
            config["learning_rate"] = float(self._spec.learning_rate)
        elif isinstance(rate, dict):
            # The object itself: Keras cannot make a schedule of the user's own from `rate`.
            self._schedule = own._learning_rate
            config["learning_rate"] = float(self._schedule(0))
        return type(own).from_config(config)
