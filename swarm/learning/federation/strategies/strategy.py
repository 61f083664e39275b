"""Strategy: the protocol of every way to combine contributions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from swarm.learning.federation.weights_files import Weights


@dataclass(frozen=True, slots=True)
class Contribution:
    """Weights that passed the gates, and the number of examples behind them."""

    weights: Weights
    num_examples: float
    """Not a whole number if a stale contribution is discounted."""


class Strategy(Protocol):
    """Combines contributions. Equal inputs in equal order give equal bytes."""

    composes: bool
    """Whether combining aggregates of clusters equals combining all contributions at once;
    strategies that do not compose are refused in trees of more than one tier."""

    def combine(self, base: Weights, contributions: Sequence[Contribution]) -> Weights:
        """Combine contributions into an aggregate with the base's keys and shapes.

        Args:
            base: The weights that the contributions were trained from.
            contributions: In the order that decides rounding; at least one.

        Raises:
            NoContributionsError: There are no contributions.
        """
        ...
