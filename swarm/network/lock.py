"""One process per state folder, and one process per port."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from swarm.core.errors import ConfigurationError

LOCK_FILE = "lock"


@contextlib.contextmanager
def hold_state_folder(state_dir: Path) -> Iterator[None]:
    """Keep every other process out of `state_dir`; the kernel releases it when this process ends.

    Raises:
        ConfigurationError: Another process holds the folder, or it cannot be written.
    """
    path = state_dir / LOCK_FILE
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"cannot write the state folder {state_dir}: {error}") from error
    with os.fdopen(handle, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = file.read().strip() or "unknown"
            raise ConfigurationError(
                f"the state folder {state_dir} is in use by process {pid}: "
                "stop it, or choose another folder with --state"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def holder(state_dir: Path) -> int | None:
    """Id of the process that holds a state folder; None if none does."""
    try:
        with (state_dir / LOCK_FILE).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(file.read().strip() or 0)
    except (OSError, ValueError):
        return None
    return None


def require_free_port(ip: str, port: int) -> None:
    """Refuse a port on which another process listens.

    libp2p listens with SO_REUSEPORT. Two peers on one port would both start without an error, and
    the kernel would give each of them half of the connections. A bind without that option fails.

    Raises:
        ConfigurationError: The address is in use, or it is not an address of this machine.
    """
    if port == 0:
        return
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except OSError as error:
            shown = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
            raise ConfigurationError(f"cannot listen on {shown}: {error.strerror}") from error
