"""How one data set is split among peers: one short file per partitioner.

partitioner  check_enough(): an example for every part
iid          equal parts, drawn uniformly
dirichlet    each class in proportions drawn from a Dirichlet distribution
"""

from swarm.core.session import SessionSpec
from swarm.learning.partitioners.dirichlet import DirichletPartitioner
from swarm.learning.partitioners.iid import IidPartitioner

__all__ = ["DirichletPartitioner", "IidPartitioner", "Partitioner", "create_partitioner"]

Partitioner = IidPartitioner | DirichletPartitioner


def create_partitioner(spec: SessionSpec) -> Partitioner:
    """Create the session's partitioner."""
    if spec.partitioner == "dirichlet":
        return DirichletPartitioner(spec.dirichlet_alpha)
    return IidPartitioner()
