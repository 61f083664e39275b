"""How one data set is split among peers: one short file per partitioner."""

from swarm.core.session import SessionSpec
from swarm.learning.partitioners.dirichlet import DirichletPartitioner
from swarm.learning.partitioners.iid import IidPartitioner

__all__ = ["DirichletPartitioner", "IidPartitioner", "Partitioner", "create_partitioner"]

Partitioner = IidPartitioner | DirichletPartitioner


def create_partitioner(spec: SessionSpec) -> Partitioner:
    """Make the session's partitioner."""
    if spec.partitioner == "dirichlet":
        return DirichletPartitioner(spec.dirichlet_alpha)
    return IidPartitioner()
