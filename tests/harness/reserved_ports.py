"""Ports for processes that are told theirs before they start."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

HOST = "127.0.0.1"


@contextmanager
def reserved_ports(count: int) -> Iterator[tuple[int, ...]]:
    """Ports that are given to nobody else until the block ends, in which processes may listen.

    The kernel takes ports of outgoing connections from the same range. It passes over those that
    a socket is bound to, and whoever asks for one by its number may listen all the same, if both
    have SO_REUSEADDR and the other one does not listen (ip(7), socket(7)).
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind((HOST, 0))
        yield tuple(each.getsockname()[1] for each in sockets)
