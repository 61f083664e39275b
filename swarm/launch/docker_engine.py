"""Engine: the Docker engine of this machine, used through its command line."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

import trio

from swarm.core.errors import ConfigurationError

ANSWERS_WITHIN_S = 10.0
"""A running engine answers in a tenth of a second; one behind a dead socket never answers."""
_BUILDKIT_IS_APART_SINCE = 23
"""Clients before this version include BuildKit; later ones need the plugin buildx for it."""
_SECOND_CLIENT = "/usr/bin/docker"
"""This client may be hidden by one in /usr/local/bin that lacks BuildKit."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A client that reaches an engine, with its compose command."""

    docker: str
    """Path of the client."""
    compose: tuple[str, ...]
    """`docker compose`, or the older `docker-compose`."""
    version: str
    """Version of the engine."""
    has_buildkit: bool

    async def run(self, *arguments: str, check: bool = True) -> str:
        """Run a docker command to its end; return its stdout.

        Raises:
            ConfigurationError: It failed; the message is that of the engine.
        """
        return await run_command([self.docker, *arguments], check=check)


async def run_command(
    command: list[str], *, env: Mapping[str, str] | None = None, check: bool = True
) -> str:
    """Run a command to its end; return its stdout.

    Raises:
        ConfigurationError: It failed and `check` is set; the message is that of the command.
    """
    done = await trio.run_process(
        command,
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env=os.environ | (env or {}),
        start_new_session=True,  # only the launcher handles Ctrl-C
    )
    if check and done.returncode != 0:
        message = done.stderr.decode(errors="replace").strip()
        raise ConfigurationError(f"{' '.join(command[:3])} failed: {message[-500:]}")
    return done.stdout.decode(errors="replace")


def find_engine() -> Engine | str:
    """Return an engine that answers, or the reason why there is none."""
    clients = [c for c in (shutil.which("docker"), _SECOND_CLIENT) if c and os.path.exists(c)]
    if not clients:
        return "Docker is not installed"
    reason = ""
    found: list[Engine] = []
    for client in dict.fromkeys(clients):
        engine = _engine_of(client)
        if isinstance(engine, str):
            reason = reason or engine
        elif engine.has_buildkit:
            return engine
        else:
            found.append(engine)
    return found[0] if found else reason


def _engine_of(client: str) -> Engine | str:
    status, answer = _run(client, "version", "--format", "{{.Client.Version}} {{.Server.Version}}")
    if status != 0:
        last = answer.strip().splitlines()[-1:] or ["without an error message"]
        return f"no Docker engine answers ({last[0][:200]})"
    ours, theirs = answer.split()[:2]
    compose = _find_compose(client)
    if compose is None:
        return "Docker lacks compose; install docker-compose-plugin or docker-compose"
    is_old = int(ours.split(".")[0]) < _BUILDKIT_IS_APART_SINCE
    return Engine(client, compose, theirs, is_old or _run(client, "buildx", "version")[0] == 0)


def _find_compose(client: str) -> tuple[str, ...] | None:
    if _run(client, "compose", "version")[0] == 0:
        return (client, "compose")
    old = shutil.which("docker-compose")
    return (old,) if old is not None else None


def _run(*command: str) -> tuple[int, str]:
    try:
        done = subprocess.run(  # noqa: S603 - a client found in PATH, with arguments of ours
            command, capture_output=True, text=True, timeout=ANSWERS_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr
