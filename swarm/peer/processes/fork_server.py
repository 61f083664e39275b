"""The fork server: loads Keras once, forks a worker for each peer that asks.

Run it with `python -m swarm.peer.processes.fork_server SOCKET`.

Loading Keras and TensorFlow takes three seconds of processor time. Peers that share a machine
share one fork server: each gets its worker within milliseconds, and the workers share memory.

SOCKET must be in a folder that does not exist yet: it is made for this user alone, and goes with
the server. A connection carries one worker's life. The peer sends one `Request` with the worker's
ends of three pipes. The answer is `Forked`, from the worker itself and with its pidfd, or
`Refused` from the server; at last the server sends `Ended`. When the peer closes the connection,
or dies, its worker is killed; when the server is killed, workers go on as if their peers had
started them.

The server ends, and kills its workers, when stdin closes: then whoever started it is gone; and by
SIGTERM or SIGINT. Linux only.

No exception is raised for a signal: in the middle of an import it may be taken for a module that
is missing (TensorFlow's extensions make an ImportError of whatever comes), and go unnoticed.

Invariant: whenever the server forks it has one thread, and has only imported, never computed.
TensorFlow's thread pools are made by its first operation, and would be missing in the child.
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
"""The line on stdout after which peers can connect; they wait until everything is loaded."""
MESSAGE_SIZE_MAX = 1 << 18
"""Bytes; a request holds the peer's environment, and kernels take no longer ones by default."""
_NUM_PIPES = 3
_WORKER = "swarm.peer.processes.learner_process"
_LOADED = ("swarm.learning.federation.learner", "numpy")
_READ_WHILE_LOADING = (
    *("PYTHON", "LD_", "SWARM_BACKEND", "SWARM_WORKER_THREADS", "KERAS_", "TF_", "XLA_", "JAX_"),
    *("TORCH_", "PYTORCH_", "CUDA_", "OMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "OPENBLAS_"),
)
"""Beginnings of variables that decide what is loaded, and how: too late to change them then."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Request:
    """From a peer: fork a worker. What a worker of the peer's own would run under."""

    executable: str
    folder: str
    environment: Mapping[str, str]

    def difference(self, other: "Request") -> str | None:
        """What would make the two load other code, or load it in another way; None if nothing.

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
    """To the peer: its worker runs; the worker's pidfd comes along."""

    pid: int


@dataclass(frozen=True, slots=True)
class Refused:
    """To the peer: there will be no worker."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """To the peer: its worker has ended; negative for the number of the signal that ended it."""

    code: int


Message = Request | Forked | Refused | Ended


def encode(message: Message) -> bytes:
    """Bytes of one message, which a SOCK_SEQPACKET socket keeps together."""
    return json.dumps({"kind": type(message).__name__, **asdict(message)}).encode()


def decode(data: bytes) -> Message:
    """Read one message.

    Raises:
        ValueError: It is none.

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


def request_of_this_process() -> Request:
    """What a worker would run under that this process started."""
    return Request(sys.executable, str(Path.cwd()), dict(os.environ))


def is_supported() -> bool:
    """Whether this system has what the server is made of."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


def new_socket_path() -> Path:
    """A path for SOCKET that nobody has; short, as the paths of sockets must be."""
    return Path(tempfile.gettempdir(), f"swarm-{os.urandom(8).hex()}", "fork-server")


@dataclass(slots=True, eq=False)
class _Child:
    """A worker, from its fork until it was reaped: so long nobody else can have its pid."""

    pid: int
    pidfd: int


class ForkServer:
    """Forks workers and buries them, in one thread; see the module."""

    def __init__(self, listener: socket.socket, signals: int, like: Request) -> None:
        self._listener = listener
        self._signals = signals
        self._like = like
        self._selector = selectors.PollSelector()  # no descriptor of its own for children to hold
        self._children: dict[socket.socket, _Child] = {}

    def serve(self) -> None:
        """Serve until stdin closes, or a signal comes."""
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
                    self._hear(key.fileobj)
                else:
                    self._bury(key.data)

    def close(self) -> None:
        """Kill the workers that are left."""
        for connection in list(self._children):
            self._kill(connection)
            self._bury(connection)
        self._selector.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ)

    def _hear(self, connection: socket.socket) -> None:
        """Take a request; anything else, and the end, means that the peer wants no worker."""
        if connection.fileno() < 0:
            return  # its worker was buried a moment ago
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
            raise OSError(f"it takes one thread, there are {num_threads}")
        with _blocked_signals():  # the child has nothing that would hear them yet
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
        """In the child: hold nothing of the server's, then be what a worker is by itself."""
        try:
            for number, pipe in enumerate(pipes):
                os.dup2(pipe, number)
            # The worker says this, or ends: a peer that does not hear it starts another worker at
            # the same pipes, so it must neither be lost with the server nor come too late.
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
            # `random` does this by itself; the server's state must not be every worker's.
            importlib.import_module("numpy").random.seed()
            importlib.import_module(_WORKER).main()
        except BaseException:  # whatever it is, the child must not go on as a second server
            traceback.print_exc()
        finally:
            os._exit(1)

    def _kill(self, connection: socket.socket) -> None:
        if connection in self._children:
            os.kill(self._children[connection].pid, signal.SIGKILL)

    def _bury(self, connection: socket.socket) -> None:
        child = self._children.pop(connection)
        self._selector.unregister(child.pidfd)
        os.close(child.pidfd)
        _, status = os.waitpid(child.pid, 0)
        _send(connection, Ended(os.waitstatus_to_exitcode(status)))
        self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        with contextlib.suppress(KeyError):  # who has hung up is not listened to any more
            self._selector.unregister(connection)
        connection.close()


def main() -> None:
    """Listen first, so that nobody is turned away while this process loads; then serve."""
    if len(sys.argv) != 2 or not is_supported():
        sys.exit("usage, on Linux: python -m swarm.peer.processes.fork_server SOCKET")
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
    # OpenBLAS, which comes with NumPy, starts threads when it is loaded; workers use none of them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for module in (*_LOADED, _WORKER):
        importlib.import_module(module)
    # Without this a worker's first garbage collection would copy every page it now shares.
    gc.freeze()


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """A socket in a folder made for it. Until there is a server, a signal removes both."""
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
    """End in the middle of whatever is being loaded: there are no workers yet, only a folder."""
    try:
        _remove(path)
    finally:  # whatever a second signal does to the first one's handler
        os._exit(0)


def _open_signals() -> int:
    """The end of a pipe that can be read once a signal has come; they do nothing else any more."""
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
    with contextlib.suppress(OSError):  # the peer is gone; its worker is dealt with in _hear
        connection.send(encode(message))


_KINDS = {kind.__name__: kind for kind in (Request, Forked, Refused, Ended)}

if __name__ == "__main__":
    main()
