"""How one data set is split among peers: one protocol, one short file per partitioner.

partitioner  Partitioner: the protocol
iid          equal parts, drawn uniformly
dirichlet    each class in proportions drawn from a Dirichlet distribution
"""

from collections.abc import Callable

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
    """Create the session's partitioner."""
    return PARTITIONERS[spec.partitioner](spec)
