"""Which cores and GPUs a peer's learner process uses, and how that is said."""

import os
from collections.abc import Sequence

from swarm.core.errors import ConfigurationError

THREADS_VARIABLE = "SWARM_WORKER_THREADS"
"""The learner process reads it as it starts; see `swarm.learning.backend`."""


def num_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def learner_environment(threads: int, *, shared: bool = False) -> dict[str, str]:
    """The variables that give a learner process its number of threads.

    Args:
        threads: Number of threads; 0 for the value of `SWARM_WORKER_THREADS`, which a launcher of
            several peers sets, or else one for each core.
        shared: Whether peers of this machine share a fork server: then 0 means 1 without that
            variable.

    Raises:
        ConfigurationError: The number is negative.
    """
    if threads < 0:
        raise ConfigurationError(f"threads must be at least 1, or 0 for all cores, got {threads}")
    given = os.environ.get(THREADS_VARIABLE) if threads == 0 else None
    default = 1 if shared else num_cores()
    return {THREADS_VARIABLE: given or str(threads or default)}


def in_words(threads: int, gpus: Sequence[str], cores: int | None = None) -> str:
    """What trains, and how to use more.

    Example:
        >>> in_words(1, (), cores=16)
        'training on 1 of 16 cores; use --threads 16 for all'
        >>> in_words(16, ("NVIDIA H200",), cores=16)
        'training on NVIDIA H200 and 16 of 16 cores'
    """
    cores = cores if cores is not None else num_cores()
    more = f"; use --threads {cores} for all" if threads < cores and not gpus else ""
    return f"training on {used(threads, gpus, cores)}{more}"


def used(threads: int, gpus: Sequence[str], cores: int | None = None) -> str:
    """The GPUs and the share of the cores that train."""
    cores = cores if cores is not None else num_cores()
    gpu = f"{', '.join(gpus)} and " if gpus else ""
    return f"{gpu}{min(threads, cores)} of {cores} cores"
