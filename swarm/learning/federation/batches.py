"""RoundBatches: the batches of one round of training, and where in its data the round ends."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from swarm.core.session import SessionSpec
from swarm.learning.federation.seeds import Purpose, generator

Clock = Callable[[], float]
"""Seconds from any origin; never goes back."""


class RoundBatches:
    """Iterates over batches of indices, from a position, until the session's bound is reached.

    A peer goes through its examples in *passes*. Each pass is a permutation of all examples,
    drawn from the session's seed, the partition and the number of the pass. The *position* counts
    examples since pass 0. A round begins at the position at which the last one ended, so every
    example is used once in each pass, however short the rounds are. No batch spans two passes.

    A round ends after `local_steps` batches, or else after `local_epochs` times the number of
    examples; and after the first batch that ends `round_seconds` or more after the first began.
    """

    def __init__(
        self, spec: SessionSpec, partition: int, num_examples: int, position: int, clock: Clock
    ) -> None:
        self.position = position
        """Where the round has come; after the last batch, where the next round begins."""
        self.num_used = 0
        """Examples in the batches so far; an example used twice counts twice."""
        self._spec = spec
        self._partition = partition
        self._num_examples = num_examples
        self._clock = clock
        self._num_steps = 0
        self._started_s = 0.0

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        """Each batch's indices, int64 (n,) with 1 <= n <= batch_size."""
        self._started_s = self._clock()
        number, order = -1, np.empty(0, np.int64)
        while self.fraction < 1:
            if number != self.position // self._num_examples:
                number = self.position // self._num_examples
                order = self._order(number)
            start = self.position % self._num_examples
            indices = order[start : start + self._spec.batch_size]
            self.position += len(indices)
            self.num_used += len(indices)
            self._num_steps += 1
            yield indices

    @property
    def fraction(self) -> float:
        """How much of the round is done, in [0, 1]: 0 before the first batch, 1 at its bound."""
        if not self._num_steps:
            return 0.0
        if self._spec.local_steps:
            done = self._num_steps / self._spec.local_steps
        else:
            done = self.num_used / (self._num_examples * self._spec.local_epochs)
        if self._spec.round_seconds:
            done = max(done, (self._clock() - self._started_s) / self._spec.round_seconds)
        return min(1.0, done)

    @property
    def epoch(self) -> int:
        """Local epoch of the newest batch, from 0: one for each `num_examples` used."""
        return (self.num_used - 1) // self._num_examples

    @property
    def step(self) -> int:
        """Number of batches since pass 0 before the newest one; all passes have equally many."""
        number, start = divmod(self.position - 1, self._num_examples)
        per_pass = math.ceil(self._num_examples / self._spec.batch_size)
        return number * per_pass + start // self._spec.batch_size

    @property
    def weight(self) -> int:
        """Examples that the contribution counts for, at least 1: all uses over `local_epochs`.

        So a round of whole epochs counts each example once, and half such a round counts half.
        With `local_steps`, every use counts.
        """
        per_use = 1 if self._spec.local_steps else self._spec.local_epochs
        return max(1, math.ceil(self.num_used / per_use))

    def _order(self, number: int) -> NDArray[np.int64]:
        rng = generator(self._spec.seed, Purpose.ORDER, self._partition, number)
        return rng.permutation(self._num_examples)
