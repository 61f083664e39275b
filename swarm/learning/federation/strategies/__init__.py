"""How contributions become an aggregate: one protocol, one short file per strategy."""

from swarm.core.errors import ConfigurationError
from swarm.learning.federation.strategies.fedavg import FedAvg
from swarm.learning.federation.strategies.strategy import Contribution, Strategy

__all__ = ["Contribution", "FedAvg", "Strategy", "create_strategy"]

STRATEGIES: dict[str, type[Strategy]] = {"fedavg": FedAvg}


def create_strategy(name: str) -> Strategy:
    """Make the strategy of this name.

    Raises:
        ConfigurationError: There is none.
    """
    if name not in STRATEGIES:
        raise ConfigurationError(f"strategy must be one of {', '.join(STRATEGIES)}, got {name!r}")
    return STRATEGIES[name]()
