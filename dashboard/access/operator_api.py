"""The API for operators: signing in with the token, and commands to the swarm.

The answer to a command is 202: the command was sent. Whether peers obey it is in the snapshots,
as the peers report it.
"""

from typing import Any, get_args

from apiflask import APIBlueprint, Schema
from apiflask.fields import Float, String
from apiflask.validators import Length, OneOf, Range
from flask import Response, abort, request

from dashboard.access.credentials import Credentials
from dashboard.watching.api_schemas import schema_of
from dashboard.watching.json_answers import json_answer
from dashboard.watching.snapshot_source import SnapshotSource
from dashboard.watching.snapshot_types import CommandInfo, OperatorAction
from swarm.core.errors import ConfigurationError, EndedError, NetworkError


class TokenInput(Schema):
    """The token that the dashboard was started with."""

    token = String(required=True, validate=Length(1, 256))


class CommandInput(Schema):
    """A command. `remove` and `readmit` need `peer`, `threshold` needs `value`.

    `join` and `leave` need `session`. They are for all peers, or for one `peer`.
    """

    action = String(required=True, validate=OneOf(get_args(OperatorAction)))
    peer = String(load_default=None, allow_none=True, validate=Length(1, 128))
    value = Float(
        load_default=None,
        allow_none=True,
        validate=Range(min=0, max=1, min_inclusive=False),
    )
    session = String(load_default=None, allow_none=True, validate=Length(1, 128))


_COMMAND_ANSWERS: dict[Any, Any] = {
    202: {
        "description": "The command was sent. The snapshot has what the peers report about it.",
        "content": {"application/json": {"schema": schema_of(CommandInfo)}},
    },
    400: {"description": "The command breaks a rule."},
    401: {"description": "The browser is not signed in."},
    403: {"description": "The header X-CSRF-Token does not belong to the session."},
    503: {"description": "The swarm cannot be reached."},
}


def operator_blueprint(source: SnapshotSource, credentials: Credentials) -> APIBlueprint:
    """Make all routes under `/api/v1/operator`."""
    api = APIBlueprint("operator", __name__, url_prefix="/api/v1/operator", tag="Operator")

    @api.get("")
    @api.doc(summary="Whether commands can be given, and whether this browser is signed in")
    def status() -> Response:
        sign_in = credentials.signed_in()
        return json_answer(
            {
                "enabled": credentials.has_token and source.snapshot()["operator"]["enabled"],
                "signed_in": sign_in is not None,
                "csrf": sign_in.csrf if sign_in is not None else None,
            }
        )

    @api.post("/session")
    @api.input(TokenInput)
    @api.doc(summary="Sign in", responses=[401, 429])
    def sign_in(json_data: dict[str, str]) -> Response:
        csrf, cookie = credentials.sign_in(json_data["token"])
        return credentials.with_cookie(json_answer({"csrf": csrf}), cookie)

    @api.delete("/session")
    @api.doc(summary="Sign out", responses=[401, 403])
    def sign_out() -> Response:
        credentials.require(request)
        return credentials.sign_out(json_answer({"signed_in": False}))

    @api.post("/commands")
    @api.input(CommandInput)
    @api.doc(
        summary="Give a command",
        responses=_COMMAND_ANSWERS,
    )
    def command(json_data: dict[str, Any]) -> tuple[Response, int]:
        credentials.require(request)
        try:
            given = source.command(**json_data)
        except ConfigurationError as error:
            abort(400, str(error))
        except (NetworkError, EndedError) as error:
            abort(503, str(error))
        return json_answer(given), 202

    return api
