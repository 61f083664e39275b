"""Binds the port and runs the application under gunicorn: one worker process, many threads.

Of the ways to serve sockets beside a trio thread this is the one that works: gevent's monkey
patching breaks trio, python-socketio's asynchronous server needs asyncio, and Werkzeug's own
server is not meant for use.
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

from dashboard.app import create_app, pump_of
from dashboard.config import DashboardConfig
from dashboard.watching.source import SnapshotSource
from dashboard.watching.tensorboard import TensorBoardLog
from swarm.core.errors import ConfigurationError, SwarmError

_STOP_S = 4
"""Time a stopping worker has to leave the swarm before it is killed."""
_SPARE_THREADS = 8
"""Beyond one for each socket: for pages, assets and JSON."""


def serve(
    make_source: Callable[[], SnapshotSource],
    config: DashboardConfig,
    notices: Sequence[str] = (),
) -> int:
    """Serve the dashboard until SIGINT or SIGTERM; return the exit status.

    `make_source` is called in the worker process, after the fork, so it may open sockets and
    start threads. Prints the page's address once it is live, then the notices, and else only what
    went wrong.
    """
    if config.warning:
        print(f"warning: {config.warning}", file=sys.stderr)
    try:
        listener = bind(config)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # One byte shared with the worker: gunicorn's exit status cannot tell a source that failed.
    failed = mmap.mmap(-1, 1)
    try:
        _Application(make_source, config, listener, failed, notices).run()
    except SystemExit as ended:
        if ended.code:
            return int(ended.code)
    return 2 if failed[0] else 0


def bind(config: DashboardConfig) -> socket.socket:
    """Take the port, or say plainly why that is not possible."""
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
    """gunicorn's master process, with one way to stop instead of two.

    The gentle one (SIGTERM) waits for open connections, which sockets never stop being; it
    would be killed before it had left the swarm. So both signals stop the worker at once.
    """

    def handle_term(self) -> None:
        """Do for SIGTERM what SIGINT does."""
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
        """Set gunicorn up; called by the base class."""
        self._port = self._listener.getsockname()[1]
        settings = {
            "bind": f"fd://{self._listener.detach()}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": self._config.clients_max + _SPARE_THREADS,
            "timeout": 120,  # a machine whose cores all train may starve the worker for a while
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
            if name in self.cfg.settings:  # older gunicorns have no control socket
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the application; gunicorn calls this in the worker."""
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
        pump_of(self.callable).start()
        if self._log is not None:
            self._log.start()
        if worker.age == 1:  # a worker that replaces a dead one has nothing new to say
            self._say_where()

    def _say_where(self) -> None:
        scheme = "https" if self._config.tls_cert is not None else "http"
        print(f"Dashboard: {scheme}://{self._config.display_host}:{self._port}", flush=True)
        operator = self._source.snapshot()["operator"]["operator_id"]
        if operator is not None:
            print(f"Operator: peers obey with --operator {operator}", flush=True)
        for notice in self._notices:
            print(notice, flush=True)

    def _give_up(self, error: SwarmError) -> NoReturn:
        """Say why there is nothing to show, and end the server instead of starting over."""
        print(f"error: {error}", file=sys.stderr, flush=True)
        self._failed[0] = 1
        os.kill(os.getppid(), signal.SIGTERM)
        sys.exit(0)

    def _stop(self, _arbiter: Any, _worker: Any) -> None:
        if self._started:
            pump_of(self.callable).stop()
            if self._log is not None:
                self._log.stop()
            self._source.stop()
        sys.stdout.flush()
        sys.stderr.flush()
        ended = sys.exception()
        status = ended.code if isinstance(ended, SystemExit) else 0
        # Threads that still serve a socket or wait for a browser's next request would hold the
        # interpreter back until they time out. Nothing they do matters any more.
        os._exit(status if isinstance(status, int) else 0)
