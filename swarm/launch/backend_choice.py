"""choose_backend(): containers if a Docker engine answers, else processes of this machine."""

from swarm.core.errors import ConfigurationError
from swarm.launch.backend import Backend, LocalProcesses
from swarm.launch.container_backend import Containers
from swarm.launch.docker_engine import find_engine
from swarm.launch.docker_image import DOCKERFILE


def choose_backend(model: str, *, docker: bool, no_docker: bool) -> tuple[Backend, str]:
    """Choose the backend for this machine.

    Args:
        model: The model to train. The image does not contain code of this machine.
        docker: Whether the user requires containers.
        no_docker: Whether the user requires processes.

    Returns:
        The backend, and the reason for the choice.

    Raises:
        ConfigurationError: What the user requires is impossible.
    """
    if docker and no_docker:
        raise ConfigurationError("--docker and --no-docker exclude each other: give only one")
    if no_docker:
        return LocalProcesses(), "you gave --no-docker"
    if not DOCKERFILE.is_file():
        return _processes("this installation has no docker/ folder", docker=docker)
    if ":" in model:
        return _processes(f"the model {model} is code of this machine", docker=docker)
    engine = find_engine()
    if isinstance(engine, str):
        return _processes(engine, docker=docker)
    why = f"Docker {engine.version} is running; --no-docker starts processes instead"
    return Containers(engine), "you gave --docker" if docker else why


def _processes(reason: str, *, docker: bool) -> tuple[Backend, str]:
    if docker:
        raise ConfigurationError(f"--docker is impossible: {reason}")
    return LocalProcesses(), reason
