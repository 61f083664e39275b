"""fedavg: the mean, weighted by numbers of examples (arXiv:1602.05629)."""

from collections.abc import Sequence

from swarm.learning.federation.aggregation import federated_average
from swarm.learning.federation.strategies.strategy import Contribution
from swarm.learning.federation.weights_files import Weights


class FedAvg:
    """Federated averaging. The mean of weighted means is the weighted mean, so it composes."""

    composes = True

    def combine(self, base: Weights, contributions: Sequence[Contribution]) -> Weights:
        """Average the contributions. See `Strategy.combine`."""
        layers = federated_average(
            [[c.weights[key] for key in base] for c in contributions],
            [c.num_examples for c in contributions],
        )
        return dict(zip(base, layers, strict=True))
