"""Ports of this machine: free ports for the peers, and a check of the dashboard's port."""

import errno
import socket

from swarm.core.errors import ConfigurationError

HOST = "127.0.0.1"
PORT_MAX = 65535


def free_ports(first: int, count: int, avoid: frozenset[int] = frozenset()) -> tuple[int, ...]:
    """Find the first `count` free ports from `first` on.

    Raises:
        ConfigurationError: There are not enough free ports.
    """
    ports: list[int] = []
    for port in range(first, PORT_MAX + 1):
        if port not in avoid and _fault(port) is None:
            ports.append(port)
        if len(ports) == count:
            return tuple(ports)
    raise ConfigurationError(
        f"{count} free ports are needed from {first} on, but only {len(ports)} are free: "
        "choose a lower --base-port"
    )


def check_dashboard_port(port: int) -> None:
    """Check that the dashboard's port is free, before anything starts.

    Raises:
        ConfigurationError: The port cannot be used.
    """
    error = _fault(port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        reason = "is taken by another program"
    else:
        reason = f"cannot be used ({error.strerror})"
    raise ConfigurationError(
        f"port {port} for the dashboard {reason}: choose another one, such as --port {port + 1}"
    )


def _fault(port: int) -> OSError | None:
    """Return the error that makes the port unusable, or None."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None
