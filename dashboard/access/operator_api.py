"""Operator actions: signing in with the token, and commands to the swarm.

A command is answered with 202: it was given. Whether it is followed is what the peers report,
in the snapshots.
"""

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Float, String
from apiflask.validators import Length, OneOf, Range
from flask import Response, abort, jsonify, request

from dashboard.access.credentials import Credentials
from dashboard.watching.schemas import schema_of
from dashboard.watching.snapshot import CommandFacts
from dashboard.watching.source import SnapshotSource
from swarm.core.errors import ConfigurationError, EndedError, NetworkError

ACTIONS = ("start", "pause", "resume", "stop", "remove", "readmit", "threshold")


class TokenInput(Schema):
    """The token that the dashboard was started with."""

    token = String(required=True, validate=Length(1, 256))


class CommandInput(Schema):
    """A command; `peer` for remove and readmit, `value` for threshold."""

    action = String(required=True, validate=OneOf(ACTIONS))
    peer = String(load_default=None, allow_none=True, validate=Length(1, 128))
    value = Float(
        load_default=None,
        allow_none=True,
        validate=Range(min=0, max=1, min_inclusive=False),
    )


_OF_COMMANDS: dict[Any, Any] = {
    202: {
        "description": "Given; what the peers report of it is in the snapshot.",
        "content": {"application/json": {"schema": schema_of(CommandFacts)}},
    },
    400: {"description": "The command breaks a rule."},
    401: {"description": "Nobody is signed in."},
    403: {"description": "The header X-CSRF-Token is not the session's."},
    503: {"description": "The swarm cannot be reached."},
}


def operator_blueprint(source: SnapshotSource, keys: Credentials) -> APIBlueprint:
    """Everything under `/api/v1/operator`."""
    api = APIBlueprint("operator", __name__, url_prefix="/api/v1/operator", tag="Operator")

    @api.get("")
    @api.doc(summary="Whether commands can be given, and whether one is signed in")
    def status() -> Response:
        session = keys.session()
        return _json(
            {
                "enabled": keys.has_token and source.snapshot()["operator"]["enabled"],
                "signed_in": session is not None,
                "csrf": session.csrf if session is not None else None,
            }
        )

    @api.post("/session")
    @api.input(TokenInput)
    @api.doc(summary="Sign in", responses=[401, 429])
    def sign_in(json_data: dict[str, str]) -> Response:
        csrf, cookie = keys.sign_in(json_data["token"])
        return keys.with_cookie(_json({"csrf": csrf}), cookie)

    @api.delete("/session")
    @api.doc(summary="Sign out", responses=[401, 403])
    def sign_out() -> Response:
        keys.require(request)
        return keys.sign_out(_json({"signed_in": False}))

    @api.post("/commands")
    @api.input(CommandInput)
    @api.doc(
        summary="Give a command",
        responses=_OF_COMMANDS,
    )
    def command(json_data: dict[str, Any]) -> tuple[Response, int]:
        keys.require(request)
        try:
            given = source.command(json_data["action"], json_data["peer"], json_data["value"])
        except ConfigurationError as error:
            abort(400, str(error))
        except (NetworkError, EndedError) as error:
            abort(503, str(error))
        return _json(given), 202

    return api


def _json(value: Any) -> Response:
    answer = jsonify(value)
    answer.headers["Cache-Control"] = "no-store"
    return answer
