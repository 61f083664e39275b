"""How one data set is split among peers: one protocol, one short file per partitioner.

partitioner  Partitioner: the protocol
iid          equal parts, drawn uniformly
dirichlet    each class in proportions drawn from a Dirichlet distribution
"""

from collections.abc import Callable

from swarm.core.errors import ConfigurationError
from swarm.core.session import SessionSpec
from swarm.learning.partitioners.dirichlet import DirichletPartitioner
from swarm.learning.partitioners.iid import IidPartitioner
from swarm.learning.partitioners.partitioner import Partitioner

__all__ = ["DirichletPartitioner", "IidPartitioner", "Partitioner", "create_partitioner"]

PARTITIONERS: dict[str, Callable[[SessionSpec], Partitioner]] = {
    "iid": lambda spec: IidPartitioner(),
    "dirichlet": lambda spec: DirichletPartitioner(spec.dirichlet_alpha),
}


def create_partitioner(spec: SessionSpec) -> Partitioner:
    """Make the session's partitioner.

    Raises:
        ConfigurationError: The session names an unknown partitioner.
    """
    if spec.partitioner not in PARTITIONERS:
        raise ConfigurationError(
            f"partitioner must be one of {', '.join(PARTITIONERS)}, got {spec.partitioner!r}"
        )
    return PARTITIONERS[spec.partitioner](spec)
