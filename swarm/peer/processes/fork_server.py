"""The fork server: loads Keras once and forks a worker for each peer that asks.

Run it with `python -m swarm.peer.processes.fork_server SOCKET`. It needs Linux.

Theory of operation. Loading Keras and TensorFlow takes three seconds of processor time. Peers that
share a machine share one fork server: each gets its worker within milliseconds, and the workers
share memory.

One connection carries one worker's life. The peer sends a `Request` together with the worker's
ends of three pipes. The answer is `Forked`, sent by the worker itself together with its pidfd, or
`Refused`, sent by the server. When the worker has ended, the server sends `Ended`. When the peer
closes the connection, or dies, the server kills its worker. When the server is killed, the workers
go on as if their peers had started them.

SOCKET must be in a folder that does not exist yet. The server creates the folder for this user
alone and removes it at the end. The server ends, and kills its workers, on SIGTERM, on SIGINT, and
when stdin closes, because then the process that started it is gone.

Signals raise no exception. In the middle of an import, an exception may be taken for a missing
module and go unnoticed: TensorFlow's extensions turn any exception into an ImportError.

Invariant: whenever the server forks, it has one thread and has only imported, never computed.
TensorFlow creates its thread pools at its first operation; they would be missing in the child.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

LISTENING = "listening"
"""The line on stdout after which peers can connect; they wait until loading is done."""
MESSAGE_SIZE_MAX = 1 << 18
"""Bytes, the longest that kernels take by default; a request holds the peer's environment."""
_NUM_PIPES = 3
_WORKER = "swarm.peer.processes.learner_process"
_LOADED = ("swarm.learning.federation.learner", "numpy")
_READ_WHILE_LOADING = (
    *("PYTHON", "LD_", "SWARM_BACKEND", "SWARM_WORKER_THREADS", "KERAS_", "TF_", "XLA_", "JAX_"),
    *("TORCH_", "PYTORCH_", "CUDA_", "OMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "OPENBLAS_"),
)
"""Prefixes of variables that are read while loading; after that, changes have no effect."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Request:
    """From a peer: fork a worker, in the conditions that the peer would start one in."""

    executable: str
    folder: str
    environment: Mapping[str, str]

    def difference(self, other: "Request") -> str | None:
        """The first condition that would change what is loaded, or how; None if there is none.

        Example:
            >>> here = Request("python3", "/", {"KERAS_BACKEND": "jax", "SWARM_NAME": "a"})
            >>> here.difference(Request("python3", "/", {"SWARM_NAME": "b"}))
            'KERAS_BACKEND'
            >>> here.difference(Request("python2", "/", {}))
            'executable'
        """
        for name in ("executable", "folder"):
            if getattr(self, name) != getattr(other, name):
                return name
        mine, others = self.environment, other.environment
        names = sorted(n for n in mine.keys() | others.keys() if mine.get(n) != others.get(n))
        return next((name for name in names if name.startswith(_READ_WHILE_LOADING)), None)


@dataclass(frozen=True, slots=True)
class Forked:
    """To the peer: its worker runs. The worker's pidfd comes with this message."""

    pid: int


@dataclass(frozen=True, slots=True)
class Refused:
    """To the peer: no worker was forked."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """To the peer: its worker has ended; a negative code is the number of the signal."""

    code: int


Message = Request | Forked | Refused | Ended


def encode(message: Message) -> bytes:
    """Bytes of one message; a SOCK_SEQPACKET socket keeps them together."""
    return json.dumps({"kind": type(message).__name__, **asdict(message)}).encode()


def decode(data: bytes) -> Message:
    """Read one message.

    Raises:
        ValueError: The bytes are not a message.

    Example:
        >>> decode(encode(Ended(-9)))
        Ended(code=-9)
    """
    try:
        fields = json.loads(data)
        kind = _KINDS[fields.pop("kind")]
        return kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a message of ours: {data[:80]!r}") from error


def request_of_this_process(more: Mapping[str, str] | None = None) -> Request:
    """A request for a worker like one that this process would start itself.

    Args:
        more: Variables of the worker beside this process's own.
    """
    return Request(sys.executable, str(Path.cwd()), {**os.environ, **(more or {})})


def is_supported() -> bool:
    """Whether this system can run a fork server."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


def new_socket_path() -> Path:
    """An unused path for SOCKET; short, as paths of sockets must be."""
    return Path(tempfile.gettempdir(), f"swarm-{os.urandom(8).hex()}", "fork-server")


@dataclass(slots=True, eq=False)
class _Child:
    """A worker, from its fork until it is reaped; until then its pid is not reused."""

    pid: int
    pidfd: int


class ForkServer:
    """Forks workers and reaps them, in one thread; see the module."""

    def __init__(self, listener: socket.socket, signals: int, like: Request) -> None:
        self._listener = listener
        self._signals = signals
        self._like = like
        self._selector = selectors.PollSelector()  # has no descriptor that children would inherit
        self._children: dict[socket.socket, _Child] = {}

    def serve(self) -> None:
        """Serve until stdin closes or a signal arrives."""
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._signals, selectors.EVENT_READ)
        self._selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == 0:
                    if not os.read(0, 1024):
                        return
                elif key.fileobj is self._signals:
                    return
                elif key.fileobj is self._listener:
                    self._accept()
                elif key.data is None:
                    assert isinstance(key.fileobj, socket.socket)  # noqa: S101 - see _accept
                    self._read_from(key.fileobj)
                else:
                    self._reap(key.data)

    def close(self) -> None:
        """Kill the workers that are left."""
        for connection in list(self._children):
            self._kill(connection)
            self._reap(connection)
        self._selector.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ)

    def _read_from(self, connection: socket.socket) -> None:
        """Read a request; anything else, or the end, means that the peer wants no worker."""
        if connection.fileno() < 0:
            return  # its worker was reaped a moment ago
        try:
            data, pipes, _, _ = socket.recv_fds(connection, MESSAGE_SIZE_MAX, _NUM_PIPES)
        except OSError:
            data, pipes = b"", []
        try:
            if data and connection not in self._children:
                self._answer(connection, data, pipes)
            else:
                self._selector.unregister(connection)
                self._kill(connection)
        finally:
            for pipe in pipes:
                os.close(pipe)
        if connection not in self._children:
            self._drop(connection)

    def _answer(self, connection: socket.socket, data: bytes, pipes: list[int]) -> None:
        try:
            request = decode(data)
        except ValueError as error:
            return _send(connection, Refused(str(error)))
        if not isinstance(request, Request) or len(pipes) != _NUM_PIPES:
            return _send(connection, Refused("a request comes with the ends of three pipes"))
        if difference := request.difference(self._like):
            return _send(connection, Refused(f"the fork server has another {difference}"))
        try:
            self._fork(connection, pipes, request.environment)
        except OSError as error:
            _send(connection, Refused(f"cannot fork: {error}"))

    def _fork(
        self, connection: socket.socket, pipes: list[int], environment: Mapping[str, str]
    ) -> None:
        if (num_threads := len(os.listdir("/proc/self/task"))) != 1:
            raise OSError(f"forking needs 1 thread, the server has {num_threads}")
        with _blocked_signals():  # the child cannot handle them yet
            pid = os.fork()
            if pid == 0:
                os.environ.update(environment)
                self._become_worker(connection, pipes)
            try:
                pidfd = os.pidfd_open(pid)
            except OSError:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise
            self._children[connection] = _Child(pid, pidfd)
            self._selector.register(pidfd, selectors.EVENT_READ, connection)

    def _become_worker(self, connection: socket.socket, pipes: list[int]) -> NoReturn:
        """In the child: close everything of the server, then run the worker's program."""
        try:
            for number, pipe in enumerate(pipes):
                os.dup2(pipe, number)
            # The worker sends this itself, or ends. A peer that does not receive it starts another
            # worker on the same pipes, so it must not be lost with the server or come too late.
            pidfd = os.pidfd_open(os.getpid())
            socket.send_fds(connection, [encode(Forked(os.getpid()))], [pidfd])
            os.close(pidfd)
            for child in self._children.values():
                os.close(child.pidfd)
            for key in self._selector.get_map().values():
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()
            for pipe in pipes:
                os.close(pipe)
            os.close(signal.set_wakeup_fd(-1))
            os.close(self._signals)
            for signum in _SIGNALS:
                signal.signal(signum, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            # `random` reseeds itself on fork; NumPy's state would be the same in all workers.
            importlib.import_module("numpy").random.seed()
            importlib.import_module(_WORKER).main()
        except BaseException:  # after any error, the child must not go on as a second server
            traceback.print_exc()
        finally:
            os._exit(1)

    def _kill(self, connection: socket.socket) -> None:
        if connection in self._children:
            os.kill(self._children[connection].pid, signal.SIGKILL)

    def _reap(self, connection: socket.socket) -> None:
        child = self._children.pop(connection)
        self._selector.unregister(child.pidfd)
        os.close(child.pidfd)
        _, status = os.waitpid(child.pid, 0)
        _send(connection, Ended(os.waitstatus_to_exitcode(status)))
        self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        with contextlib.suppress(KeyError):  # unregistered before, when the peer hung up
            self._selector.unregister(connection)
        connection.close()


def main() -> None:
    """Listen first, so that peers can wait while this process loads; then serve."""
    if len(sys.argv) != 2 or not is_supported():
        sys.exit("usage, on Linux: python -m swarm.peer.processes.fork_server SOCKET")
    # Peers that share this server share the machine: its cores, and no GPU.
    os.environ.setdefault("SWARM_WORKER_THREADS", "1")
    like = request_of_this_process()
    with _listening(Path(sys.argv[1])) as listener:
        print(LISTENING, flush=True)
        _load()
        server = ForkServer(listener, _open_signals(), like)
        try:
            server.serve()
        finally:
            server.close()


def _load() -> None:
    # OpenBLAS, which comes with NumPy, starts threads when it is loaded; workers do not need them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    for module in (*_LOADED, _WORKER):
        importlib.import_module(module)
    # Without this, a worker's first garbage collection would copy every page that it shares.
    gc.freeze()


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """A socket in a folder made for it. Until the server runs, a signal removes both."""
    with _blocked_signals():
        path.parent.mkdir(mode=0o700)
        for signum in _SIGNALS:
            signal.signal(signum, partial(_leave, path))
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen(socket.SOMAXCONN)
            yield listener
    finally:
        _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()


def _leave(path: Path, _signum: int, _frame: object) -> NoReturn:
    """End in the middle of loading: there are no workers yet, only a folder."""
    try:
        _remove(path)
    finally:  # even if a second signal interrupts this handler
        os._exit(0)


def _open_signals() -> int:
    """The end of a pipe that becomes readable when a signal arrives; nothing else happens."""
    signals, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup)
    for signum in _SIGNALS:
        signal.signal(signum, lambda _signum, _frame: None)
    return signals


@contextlib.contextmanager
def _blocked_signals() -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _send(connection: socket.socket, message: Message) -> None:
    with contextlib.suppress(OSError):  # the peer is gone; _read_from kills its worker
        connection.send(encode(message))


_KINDS = {kind.__name__: kind for kind in (Request, Forked, Refused, Ended)}

if __name__ == "__main__":
    main()
