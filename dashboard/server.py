"""Binds the port and runs the application under gunicorn: one worker process, many threads.

This is the only way to serve sockets beside a trio thread that works. The monkey patching of
gevent breaks trio, the asynchronous server of python-socketio needs asyncio, and the server of
Werkzeug is only meant for development.
"""

import errno
import mmap
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from dashboard.app import broadcaster_of, create_app
from dashboard.config import DashboardConfig
from dashboard.ensemble.asking import QUESTIONS_AT_ONCE_MAX
from dashboard.watching.snapshot_source import SnapshotSource
from dashboard.watching.tensorboard import TensorBoardLog
from swarm.core.errors import ConfigurationError, SwarmError

_STOP_S = 4
"""A stopping worker has this long to leave the swarm before it is killed."""
_SPARE_THREADS = 8 + QUESTIONS_AT_ONCE_MAX
"""Threads for pages, assets, JSON and questions, in addition to one for each socket."""


def serve(
    make_source: Callable[[], SnapshotSource],
    config: DashboardConfig,
    notices: Sequence[str] = (),
) -> int:
    """Serve the dashboard until SIGINT or SIGTERM, and return the exit status.

    Prints the address of the page once it is live, then the notices. Afterwards it prints errors
    only.

    Args:
        make_source: Called in the worker process, after the fork, so it may open sockets and
            start threads.
        config: Settings of the server.
        notices: Lines to print after the address.
    """
    if config.warning:
        print(f"warning: {config.warning}", file=sys.stderr)
    try:
        listener = bind(config)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # One byte shared with the worker: the exit status of gunicorn does not show a failed source.
    failed = mmap.mmap(-1, 1)
    try:
        _Application(make_source, config, listener, failed, notices).run()
    except SystemExit as ended:
        if ended.code:
            return int(ended.code)
    return 2 if failed[0] else 0


def bind(config: DashboardConfig) -> socket.socket:
    """Bind the port.

    Raises:
        ConfigurationError: The port cannot be bound; the message says why.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigurationError(_why_not_bound(config, error)) from error
    return listener


def _why_not_bound(config: DashboardConfig, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {config.port} is taken by another program"
            " (on macOS often by AirPlay): choose another one with --port"
        )
    if error.errno == errno.EACCES:
        return f"port {config.port} may not be used by this user: choose one with --port"
    return f"cannot listen on {config.host} port {config.port}: {error.strerror or error}"


class _Arbiter(Arbiter):  # type: ignore[misc]
    """The master process of gunicorn, with one way to stop instead of two.

    On SIGTERM gunicorn waits until all connections are closed. Sockets stay open, so the worker
    would be killed before it had left the swarm. Here both signals stop the worker at once.
    """

    def handle_term(self) -> None:
        """Handle SIGTERM like SIGINT."""
        self.handle_int()


class _Application(BaseApplication):  # type: ignore[misc]
    def __init__(
        self,
        make_source: Callable[[], SnapshotSource],
        config: DashboardConfig,
        listener: socket.socket,
        failed: mmap.mmap,
        notices: Sequence[str],
    ) -> None:
        self._notices = notices
        self._log: TensorBoardLog | None = None
        self._make_source = make_source
        self._config = config
        self._listener = listener
        self._failed = failed
        self._source: SnapshotSource
        self._started = False
        super().__init__()

    def load_config(self) -> None:
        """Configure gunicorn; called by the base class."""
        self._port = self._listener.getsockname()[1]
        settings = {
            "bind": f"fd://{self._listener.detach()}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": self._config.clients_max + _SPARE_THREADS,
            "timeout": 120,  # while all cores train, the worker may get no time for a while
            "graceful_timeout": _STOP_S,
            "keepalive": 5,
            "loglevel": "error",
            "control_socket_disable": True,
            "certfile": str(self._config.tls_cert) if self._config.tls_cert else None,
            "keyfile": str(self._config.tls_key) if self._config.tls_key else None,
            "post_worker_init": self._start,
            "worker_exit": self._stop,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:  # older versions of gunicorn have no control socket
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the application; called by gunicorn in the worker."""
        try:
            self._source = self._make_source()
            if self._config.tensorboard is not None:
                self._log = TensorBoardLog(self._source, self._config.tensorboard)
        except SwarmError as error:
            self._give_up(error)
        return create_app(self._source, self._config)

    def run(self) -> None:
        """Serve until stopped."""
        _Arbiter(self).run()

    def _start(self, worker: Any) -> None:
        try:
            self._source.start()
        except SwarmError as error:
            self._give_up(error)
        self._started = True
        broadcaster_of(self.callable).start()
        if self._log is not None:
            self._log.start()
        if worker.age == 1:  # a worker that replaces a dead one has the same address
            self._print_address()

    def _print_address(self) -> None:
        scheme = "https" if self._config.tls_cert is not None else "http"
        print(f"Dashboard: {scheme}://{self._config.display_host}:{self._port}", flush=True)
        operator = self._source.snapshot()["operator"]["operator_id"]
        if operator is not None:
            print(f"Operator: start peers with --operator {operator}", flush=True)
        for notice in self._notices:
            print(notice, flush=True)

    def _give_up(self, error: SwarmError) -> NoReturn:
        """Print why nothing can be shown, and end the server instead of restarting the worker."""
        print(f"error: {error}", file=sys.stderr, flush=True)
        self._failed[0] = 1
        os.kill(os.getppid(), signal.SIGTERM)
        sys.exit(0)

    def _stop(self, _arbiter: Any, _worker: Any) -> None:
        if self._started:
            broadcaster_of(self.callable).stop()
            if self._log is not None:
                self._log.stop()
            self._source.stop()
        sys.stdout.flush()
        sys.stderr.flush()
        ended = sys.exception()
        status = ended.code if isinstance(ended, SystemExit) else 0
        # Threads that still serve a socket, or wait for the next request of a browser, would
        # delay the end of the interpreter until they time out. Their work is no longer needed.
        os._exit(status if isinstance(status, int) else 0)
