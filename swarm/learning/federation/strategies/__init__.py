"""How contributions become an aggregate: one protocol, one short file per strategy.

strategy  Strategy: the protocol
fedavg    federated averaging
"""

from swarm.core.errors import ConfigurationError
from swarm.learning.federation.strategies.fedavg import FedAvg
from swarm.learning.federation.strategies.strategy import Contribution, Strategy

__all__ = ["Contribution", "FedAvg", "Strategy", "create_strategy"]

STRATEGIES: dict[str, type[Strategy]] = {"fedavg": FedAvg}


def create_strategy(name: str) -> Strategy:
    """Create the strategy of this name.

    Raises:
        ConfigurationError: The name is unknown.
    """
    if name not in STRATEGIES:
        raise ConfigurationError(f"strategy must be one of {', '.join(STRATEGIES)}, got {name!r}")
    return STRATEGIES[name]()
