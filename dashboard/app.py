"""The Flask application: the page, its assets, the API, metrics, and the socket."""

from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask import Flask, Response, abort, jsonify, render_template, request, send_file
from flask_socketio import SocketIO, join_room
from werkzeug.exceptions import HTTPException

from dashboard.access.credentials import Credentials
from dashboard.access.operator_api import operator_blueprint
from dashboard.access.request_guard import RequestGuard
from dashboard.config import DashboardConfig
from dashboard.page.assets import (
    ASSETS,
    IMPORT_MAP,
    MODULES,
    NODE_MODULES,
    content_security_policy,
    missing_assets,
)
from dashboard.page.pump import Pump
from dashboard.page.tabs import TABS
from dashboard.watching.api import api_blueprint
from dashboard.watching.metrics import CONTENT_TYPE, exposition
from dashboard.watching.snapshot_diff import json_safe
from dashboard.watching.source import SnapshotSource

_WATCHERS = "watchers"
"""The room of sockets that hold a snapshot, and so can use updates."""

_MESSAGE_BYTES_MAX = 4096
"""Browsers send nothing but the protocol's own small packets."""
_REQUEST_BYTES_MAX = 16 * 1024
"""A command is far smaller."""


def create_app(
    source: SnapshotSource, config: DashboardConfig, *, node_modules: Path = NODE_MODULES
) -> Flask:
    """Build the application; neither the source nor the pump is started yet (see `pump_of`)."""
    app = APIFlask(
        "dashboard",
        title="Swarm dashboard",
        version="1",
        spec_path="/api/v1/openapi.json",
        docs_path=None,  # its page would load scripts from elsewhere
        json_errors=False,
    )
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = None  # revalidate: pages never mix two versions
    app.config["MAX_CONTENT_LENGTH"] = _REQUEST_BYTES_MAX
    app.config["SYNC_LOCAL_SPEC"] = False
    keys = Credentials(config)
    _add_page(app, source, node_modules, keys)
    _add_json(app, source)
    app.register_blueprint(api_blueprint(source))
    app.register_blueprint(operator_blueprint(source, keys))
    app.register_error_handler(HTTPException, _error)
    app.after_request(keys.rotate)
    _add_socket(app, source, config)
    app.wsgi_app = RequestGuard(  # type: ignore[method-assign]
        app.wsgi_app, config, policy=content_security_policy(), may_look=keys.may_look
    )
    return app


def _error(error: HTTPException) -> Response | HTTPException:
    """Programs are told in JSON what went wrong."""
    if error.response is not None or not request.path.startswith("/api/"):
        return error
    answer = jsonify(message=error.description)
    answer.status_code = error.code or 500
    answer.headers["Cache-Control"] = "no-store"
    return answer


def pump_of(app: Flask) -> Pump:
    """Return the application's pump, for whoever starts and stops it."""
    pump = app.extensions["dashboard_pump"]
    assert isinstance(pump, Pump)  # noqa: S101 -- for the type checker
    return pump


def _add_page(
    app: APIFlask, source: SnapshotSource, node_modules: Path, keys: Credentials
) -> None:
    @app.get("/")
    @app.get(f"/<any({', '.join(TABS)}):tab>")
    @app.doc(hide=True)
    def page(tab: str = TABS[0]) -> tuple[str, int]:
        if keys.needs_token():
            return render_template("signin.html"), 401
        missing = missing_assets(node_modules)
        if missing:
            folder = node_modules.parent
            return render_template("setup.html", folder=folder, missing=missing), 503
        seen = source.snapshot()  # for browsers that run no scripts
        texts = {"import_map": IMPORT_MAP, "modules": MODULES, "tab": tab, "seen": seen}
        return render_template("index.html", **texts), 200

    @app.get("/vendor/<name>")
    @app.doc(hide=True)
    def vendor(name: str) -> Response:
        if name not in ASSETS:
            abort(404)
        path, media_type = ASSETS[name]
        if not (node_modules / path).is_file():
            abort(404)
        return send_file(node_modules / path, mimetype=media_type)


def _add_json(app: APIFlask, source: SnapshotSource) -> None:
    @app.get("/api/snapshot")
    @app.doc(hide=True)
    def snapshot() -> Response:
        answer = jsonify(json_safe(source.snapshot()))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @app.get("/metrics")
    @app.doc(hide=True)
    def metrics() -> Response:
        return Response(exposition(source), content_type=CONTENT_TYPE)

    @app.get("/healthz")
    @app.doc(hide=True)
    def healthz() -> Response:
        return jsonify(status="ok", version=source.snapshot()["version"])


def _add_socket(app: Flask, source: SnapshotSource, config: DashboardConfig) -> None:
    sockets = SocketIO(
        app,
        async_mode="threading",
        transports=["websocket"],
        max_http_buffer_size=_MESSAGE_BYTES_MAX,
        ping_interval=5,
        ping_timeout=10,  # a browser that stopped reading is dropped before much is queued for it
        manage_session=False,
        serve_client=False,
    )

    def broadcast(name: str, payload: Any) -> None:
        sockets.emit(name, payload, to=_WATCHERS)

    pump = Pump(source, broadcast, updates_per_s_max=config.updates_per_s_max)
    app.extensions["dashboard_pump"] = pump

    def connect() -> None:
        socket_id = request.sid  # type: ignore[attr-defined]

        def send(name: str, payload: Any) -> None:
            join_room(_WATCHERS)
            sockets.emit(name, payload, to=socket_id)

        pump.greet(send)

    # The only handler there is: whatever else a browser sends is ignored.
    sockets.on_event("connect", connect)
