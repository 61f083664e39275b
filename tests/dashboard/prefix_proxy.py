"""A proxy that serves another server under a path, as nginx does: it strips the path."""

import contextlib
import socket
import threading
from collections.abc import Iterator

HEAD_BYTES_MAX = 65536


@contextlib.contextmanager
def prefix_proxy(port: int, prefix: str = "/swarm") -> Iterator[str]:
    """Serve the server at `port` of this machine under a path; yields its address.

    Everything outside the path is answered with 404, so that no reference can escape it.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    accepting = threading.Thread(target=_accept, args=(listener, port, prefix), daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{prefix}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()


def _accept(listener: socket.socket, port: int, prefix: str) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, port, prefix), daemon=True).start()


def _serve(client: socket.socket, port: int, prefix: str) -> None:
    """Forward one request and its answer; a socket stays open in both directions."""
    with client, contextlib.suppress(OSError):
        head = b""
        while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES_MAX:
            received = client.recv(4096)
            if not received:
                return
            head += received
        head, _, body = head.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, path, version = first.split(" ")
        if not path.startswith(f"{prefix}/"):
            client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        if not any(line.lower().startswith("upgrade:") for line in lines):
            lines = [line for line in lines if not line.lower().startswith("connection:")]
            lines.append("Connection: close")
        first = f"{method} {path.removeprefix(prefix)} {version}"
        with socket.create_connection(("127.0.0.1", port)) as server:
            server.sendall("\r\n".join([first, *lines, "", ""]).encode() + body)
            inwards = threading.Thread(target=_copy, args=(client, server), daemon=True)
            inwards.start()
            _copy(server, client)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while received := source.recv(65536):
            target.sendall(received)
        target.shutdown(socket.SHUT_WR)
