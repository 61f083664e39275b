"""Ports on this machine: free ones for the peers, and the one the dashboard wants."""

import errno
import socket

from swarm.core.errors import ConfigurationError

HOST = "127.0.0.1"
PORT_MAX = 65535


def free_ports(first: int, count: int, avoid: frozenset[int] = frozenset()) -> tuple[int, ...]:
    """Find the first `count` free ports from `first` on.

    Raises:
        ConfigurationError: There are too few.
    """
    ports: list[int] = []
    for port in range(first, PORT_MAX + 1):
        if port not in avoid and _fault(port) is None:
            ports.append(port)
        if len(ports) == count:
            return tuple(ports)
    raise ConfigurationError(
        f"{count} free ports are needed from {first} on, there are {len(ports)}: "
        "choose a lower --base-port"
    )


def check_dashboard_port(port: int) -> None:
    """Find out before anything starts whether the dashboard can have its port.

    Raises:
        ConfigurationError: It cannot.
    """
    error = _fault(port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        reason = "is taken by another program"
    else:
        reason = f"cannot be used ({error.strerror})"
    raise ConfigurationError(
        f"port {port} for the dashboard {reason}: choose another, as in --port {port + 1}"
    )


def _fault(port: int) -> OSError | None:
    """Why the port cannot be used, or None."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None
