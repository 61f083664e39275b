"""choose_backend(): containers where an engine answers, else processes of this machine."""

from swarm.core.errors import ConfigurationError
from swarm.launch.backend import LocalProcesses
from swarm.launch.container_backend import Containers
from swarm.launch.engine import find_engine
from swarm.launch.image import DOCKERFILE

Backend = LocalProcesses | Containers
"""Starts programs; each is stopped or killed through what `start` returns."""


def choose_backend(model: str, *, docker: bool, no_docker: bool) -> tuple[Backend, str]:
    """The backend for this machine, and why.

    Args:
        model: What is trained; code of this machine is not in the image.
        docker: Whether the user insists on containers.
        no_docker: Whether the user insists on processes.

    Raises:
        ConfigurationError: What the user insists on is impossible.
    """
    if docker and no_docker:
        raise ConfigurationError("--docker and --no-docker exclude each other: give one")
    if no_docker:
        return LocalProcesses(), "--no-docker"
    if not DOCKERFILE.is_file():
        return _without("the code is installed apart from its docker/ folder", docker=docker)
    if ":" in model:
        return _without(f"the model {model} is code of this machine", docker=docker)
    engine = find_engine()
    if isinstance(engine, str):
        return _without(engine, docker=docker)
    why = "--docker" if docker else f"Docker {engine.version} answers; --no-docker does without"
    return Containers(engine), why


def _without(reason: str, *, docker: bool) -> tuple[Backend, str]:
    if docker:
        raise ConfigurationError(f"--docker is impossible: {reason}")
    return LocalProcesses(), reason
