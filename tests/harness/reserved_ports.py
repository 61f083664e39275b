"""Ports reserved for processes that get their port before they start."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

HOST = "127.0.0.1"


@contextmanager
def reserved_ports(count: int) -> Iterator[tuple[int, ...]]:
    """Reserve ports until the block ends; processes may listen on them meanwhile.

    The kernel takes ports of outgoing connections from the same range, but no port that a socket
    is bound to. A process that asks for such a port by number may still listen on it, if both
    sockets have SO_REUSEADDR and the other one does not listen (ip(7), socket(7)).
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind((HOST, 0))
        yield tuple(each.getsockname()[1] for each in sockets)
