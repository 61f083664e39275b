"""`/v2`: the Open Inference Protocol, so that clients of KServe and Triton can ask ensembles."""

import json
from typing import Any, NoReturn

from apiflask import APIBlueprint
from flask import Response, abort, request

from dashboard.ensemble.asking import (
    BODY_BYTES_MAX,
    RETRY_AFTER_S,
    HttpAsking,
    check_size,
    status_of,
)
from dashboard.ensemble.finding import UnknownEnsembleError, find_ensemble
from dashboard.ensemble.inference import metadata, read_request, version_of, write_answer
from dashboard.watching.ensemble_types import EnsembleInfo
from dashboard.watching.json_answers import json_answer
from dashboard.watching.snapshot_source import SnapshotSource
from swarm.core.errors import SwarmError

HEADER_LENGTH = "Inference-Header-Content-Length"
_NOT_READY = 400
"""As Triton answers: the protocol says only that it is no 200."""


def inference_blueprint(source: SnapshotSource, asking: HttpAsking) -> APIBlueprint:
    """Make all routes under `/v2`. The protocol describes them, so OpenAPI does not."""
    api = APIBlueprint("inference", __name__, url_prefix="/v2", enable_openapi=False)
    _add_health(api, source)
    _add_models(api, source, asking)
    return api


def _add_health(api: APIBlueprint, source: SnapshotSource) -> None:
    @api.get("")
    def server() -> Response:
        return json_answer({"name": "swarm", "version": "1", "extensions": ["binary_tensor_data"]})

    @api.get("/health/live")
    def live() -> Response:
        return json_answer({"live": True})

    @api.get("/health/ready")
    def ready() -> Response:
        ensembles = source.snapshot()["ensembles"]
        are_ready = bool(ensembles) and all(one["ready"] for one in ensembles)
        return _readiness("swarm", is_ready=are_ready)


def _add_models(api: APIBlueprint, source: SnapshotSource, asking: HttpAsking) -> None:
    @api.before_request
    def accept_rows() -> None:
        request.max_content_length = BODY_BYTES_MAX

    @api.get("/models/<name>")
    @api.get("/models/<name>/versions/<version>")
    def model(name: str, version: str = "") -> Response:
        return json_answer(metadata(_find(source, name, version)))

    @api.get("/models/<name>/ready")
    @api.get("/models/<name>/versions/<version>/ready")
    def model_ready(name: str, version: str = "") -> Response:
        found = _find(source, name, version)
        return _readiness(found["name"], is_ready=found["ready"])

    @api.post("/models/<name>/infer")
    @api.post("/models/<name>/versions/<version>/infer")
    def infer(name: str, version: str = "") -> Response:
        found = _find(source, name, version)
        if request.headers.get("Content-Encoding", "identity") != "identity":
            abort(415, "compressed requests are not supported: send the body as it is")
        try:
            asked = read_request(request.get_data(), request.headers.get(HEADER_LENGTH), found)
            check_size(found, asked.num_rows, detail=False)
            answer = asking.ask(found["id"], asked.rows, asked.coverage, detail=False)
        except SwarmError as error:
            _refuse(error)
        return _response(*write_answer(asked, answer, found))


def _find(source: SnapshotSource, name: str, version: str) -> EnsembleInfo:
    try:
        found = find_ensemble(source.snapshot()["ensembles"], name)
    except UnknownEnsembleError as error:
        abort(404, str(error))
    if version and not found["id"].startswith(version):
        abort(404, f"version must be {version_of(found)}, got {version!r:.80}")
    return found


def _readiness(name: str, *, is_ready: bool) -> Response:
    answer = json_answer({"name": name, "ready": is_ready})
    answer.status_code = 200 if is_ready else _NOT_READY
    return answer


def _refuse(error: SwarmError) -> NoReturn:
    answer = json_answer({"error": str(error)})
    answer.status_code = status_of(error)
    if answer.status_code == 429:
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    abort(answer)


def _response(header: dict[str, Any], binary: bytes) -> Response:
    text = json.dumps(header, allow_nan=False).encode()
    answer = Response(text + binary, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    if binary:
        answer.mimetype = "application/octet-stream"
        answer.headers[HEADER_LENGTH] = str(len(text))
    return answer
