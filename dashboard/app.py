"""The Flask application: the page, its assets, the APIs, the metrics and the socket."""

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
from dashboard.ensemble.asking import HttpAsking
from dashboard.ensemble.ensemble_api import ensemble_blueprint
from dashboard.ensemble.inference_api import inference_blueprint
from dashboard.page.assets import (
    ASSETS,
    IMPORT_MAP,
    MODULES,
    NODE_MODULES,
    content_security_policy,
    missing_assets,
)
from dashboard.page.broadcaster import Broadcaster
from dashboard.page.tabs import TABS
from dashboard.watching.api import api_blueprint
from dashboard.watching.json_answers import json_answer
from dashboard.watching.metrics import CONTENT_TYPE, exposition
from dashboard.watching.snapshot_source import SnapshotSource

_WATCHERS = "watchers"
"""The room of the sockets that received a snapshot, so that updates can be applied to it."""

_MESSAGE_BYTES_MAX = 4096
"""Browsers send only the small packets of the socket protocol itself."""
_REQUEST_BYTES_MAX = 16 * 1024
"""A command is much smaller."""


def create_app(
    source: SnapshotSource, config: DashboardConfig, *, node_modules: Path = NODE_MODULES
) -> Flask:
    """Build the application. It starts neither the source nor the broadcaster."""
    app = APIFlask(
        "dashboard",
        title="Swarm dashboard",
        version="1",
        spec_path="/api/v1/openapi.json",
        docs_path=None,  # that page would load scripts from another server
        json_errors=False,
    )
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = None  # revalidate: pages never mix two versions
    app.config["MAX_CONTENT_LENGTH"] = _REQUEST_BYTES_MAX
    app.config["SYNC_LOCAL_SPEC"] = False
    credentials = Credentials(config)
    _add_page(app, source, node_modules, credentials)
    _add_json(app, source)
    app.register_blueprint(api_blueprint(source))
    app.register_blueprint(operator_blueprint(source, credentials))
    asking = HttpAsking(source)
    app.register_blueprint(ensemble_blueprint(source, asking))
    app.register_blueprint(inference_blueprint(source, asking))
    app.register_error_handler(HTTPException, _error)
    app.after_request(credentials.rotate)
    _add_socket(app, source, config)
    app.wsgi_app = RequestGuard(  # type: ignore[method-assign]
        app.wsgi_app,
        config,
        policy=content_security_policy(),
        may_view=credentials.may_view,
        may_ask=credentials.may_ask,
    )
    return app


def _error(error: HTTPException) -> Response | HTTPException:
    """Answer errors of the APIs in JSON."""
    is_inference = request.path.startswith("/v2/")
    if error.response is not None or not (is_inference or request.path.startswith("/api/")):
        return error
    answer = json_answer({"error" if is_inference else "message": error.description})
    answer.status_code = error.code or 500
    return answer


def broadcaster_of(app: Flask) -> Broadcaster:
    """Return the broadcaster of the application; the caller starts and stops it."""
    broadcaster = app.extensions["dashboard_broadcaster"]
    assert isinstance(broadcaster, Broadcaster)  # noqa: S101 -- for the type checker
    return broadcaster


def _add_page(
    app: APIFlask, source: SnapshotSource, node_modules: Path, credentials: Credentials
) -> None:
    @app.get("/")
    @app.get(f"/<any({', '.join(TABS)}):tab>")
    @app.doc(hide=True)
    def page(tab: str = TABS[0]) -> tuple[str, int]:
        if credentials.needs_token():
            return render_template("signin.html"), 401
        missing = missing_assets(node_modules)
        if missing:
            folder = node_modules.parent
            return render_template("setup.html", folder=folder, missing=missing), 503
        snapshot = source.snapshot()  # for browsers that run no scripts
        texts = {"import_map": IMPORT_MAP, "modules": MODULES, "tab": tab, "snapshot": snapshot}
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
        return json_answer(source.snapshot())

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
        ping_timeout=10,  # drop a browser that stopped reading before its queue grows long
        manage_session=False,
        serve_client=False,
    )

    def broadcast(name: str, payload: Any) -> None:
        sockets.emit(name, payload, to=_WATCHERS)

    broadcaster = Broadcaster(source, broadcast, updates_per_s_max=config.updates_per_s_max)
    app.extensions["dashboard_broadcaster"] = broadcaster

    def connect() -> None:
        socket_id = request.sid  # type: ignore[attr-defined]

        def send(name: str, payload: Any) -> None:
            join_room(_WATCHERS)
            sockets.emit(name, payload, to=socket_id)

        broadcaster.send_snapshot(send)

    # The only handler: everything else that a browser sends is ignored.
    sockets.on_event("connect", connect)
