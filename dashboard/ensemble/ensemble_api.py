"""`/api/v1/ensembles`: the ensembles of the swarm, and questions to them."""

from typing import Any, TypedDict

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, Float, List, Raw
from apiflask.validators import Length, Range
from flask import Response, abort, request

from dashboard.ensemble.asking import (
    BODY_BYTES_MAX,
    DEFAULT_COVERAGE,
    RETRY_AFTER_S,
    ROWS_MAX,
    HttpAsking,
    check_size,
    status_of,
)
from dashboard.ensemble.finding import UnknownEnsembleError, find_ensemble
from dashboard.watching.api_schemas import schema_of
from dashboard.watching.ensemble_types import EnsembleAnswer, EnsembleInfo, EnsembleScore
from dashboard.watching.json_answers import json_answer
from dashboard.watching.snapshot_source import SnapshotSource
from swarm.core.errors import SwarmError


class EnsembleList(TypedDict):
    """The ensembles, as the Ensemble tab shows them."""

    ensembles: list[EnsembleInfo]


class EnsembleMatrix(TypedDict):
    """The cross-validation matrix: each member's score of each model on its own rows."""

    metric: str
    """Lower is better."""
    members: list[str]
    """Ids, in the order of rows and columns."""
    scores: list[EnsembleScore]


class QuestionInput(Schema):
    """Rows to predict for.

    A row of a table is an object from column names to cells; null, or a column that is not there,
    is a missing value. A row that is an array is nested lists of numbers.
    """

    rows = List(Raw(), required=True, validate=Length(1, ROWS_MAX))
    coverage = Float(
        load_default=DEFAULT_COVERAGE,
        validate=Range(min=0, max=1, min_inclusive=False, max_inclusive=False),
    )
    detail = Boolean(load_default=False)


def ensemble_blueprint(source: SnapshotSource, asking: HttpAsking) -> APIBlueprint:
    """Make all routes under `/api/v1/ensembles`."""
    api = APIBlueprint("ensembles", __name__, url_prefix="/api/v1/ensembles", tag="Ensembles")

    def find(name: str) -> EnsembleInfo:
        try:
            return find_ensemble(source.snapshot()["ensembles"], name)
        except UnknownEnsembleError as error:
            abort(404, str(error))

    @api.before_request
    def accept_rows() -> None:
        request.max_content_length = BODY_BYTES_MAX
        _check_json()

    @api.get("")
    @api.doc(summary="The ensembles", responses=_answers(EnsembleList))
    def ensembles() -> Response:
        return json_answer({"ensembles": source.snapshot()["ensembles"]})

    @api.get("/<name>")
    @api.doc(summary="One ensemble", responses=_answers(EnsembleInfo) | _NOT_FOUND)
    def one_ensemble(name: str) -> Response:
        return json_answer(find(name))

    @api.get("/<name>/matrix")
    @api.doc(summary="Who scored which model", responses=_answers(EnsembleMatrix) | _NOT_FOUND)
    def matrix(name: str) -> Response:
        found = find(name)
        members = [member["peer"] for member in found["members"]]
        return json_answer(
            {"metric": found["metric"], "members": members, "scores": found["matrix"]}
        )

    @api.post("/<name>/predict")
    @api.input(QuestionInput)
    @api.doc(summary="Ask all members about rows", responses=_answers(EnsembleAnswer) | _REFUSALS)
    def predict(name: str, json_data: dict[str, Any]) -> Response:
        found = find(name)
        try:
            check_size(found, len(json_data["rows"]), detail=json_data["detail"])
            return json_answer(
                asking.ask(
                    found["id"],
                    json_data["rows"],
                    json_data["coverage"],
                    detail=json_data["detail"],
                )
            )
        except SwarmError as error:
            answer = json_answer({"message": str(error)})
            answer.status_code = status_of(error)
            if answer.status_code == 429:
                answer.headers["Retry-After"] = str(RETRY_AFTER_S)
            return answer

    return api


def _check_json() -> None:
    """Refuse JSON that the parser of bodies would break on."""
    try:
        if request.method == "POST" and request.is_json:
            request.get_json()
    except (ValueError, RecursionError) as error:  # a number too long, or too many brackets
        abort(400, f"the request must be JSON: {error!s:.120}")


def _answers(kind: type) -> dict[Any, Any]:
    content = {"application/json": {"schema": schema_of(kind)}}
    return {200: {"description": kind.__doc__ or "", "content": content}}


_NOT_FOUND: dict[Any, Any] = {404: {"description": "No such ensemble, or several."}}
_REFUSALS: dict[Any, Any] = _NOT_FOUND | {
    400: {"description": "A row breaks a rule; the message names row, column and value."},
    401: {"description": "Asking needs the token here."},
    413: {"description": f"The body has more than {BODY_BYTES_MAX} bytes."},
    429: {"description": "Too many questions are under way; ask again later."},
    503: {"description": "Too few members answered; the message says why."},
}
