"""The API: the present, the past, and all rounds and alerts as JSON lines."""

import json
from collections.abc import Iterator
from typing import Any, TypedDict

from apiflask import APIBlueprint, Schema
from apiflask.fields import Integer
from apiflask.validators import Range
from flask import Response, abort

from dashboard.watching.api_schemas import schema_of
from dashboard.watching.json_answers import json_answer, json_safe
from dashboard.watching.snapshot_source import SnapshotSource
from dashboard.watching.snapshot_types import (
    Alert,
    ContributorRecord,
    CurvePoint,
    PeerInfo,
    RoundPage,
    RoundRecord,
    Snapshot,
)

ROUNDS_AT_ONCE_MAX = 200
JSON_LINES = "application/x-ndjson"


class PeerList(TypedDict):
    """The peers, as the table of the page lists them."""

    peers: list[PeerInfo]


class AlertList(TypedDict):
    """All alerts, oldest first."""

    alerts: list[Alert]


class PeerContribution(ContributorRecord):
    """A contribution of one peer, with the round whose head names it."""

    round: int


class PeerDetails(TypedDict):
    """One peer with its curve, contributions and alerts, each in the order of the rounds."""

    peer: PeerInfo | None
    """None if the snapshot does not list the peer any more."""
    curve: list[CurvePoint]
    contributions: list[PeerContribution]
    alerts: list[Alert]


class RoundsQuery(Schema):
    """The rounds to return."""

    first = Integer(load_default=0, validate=Range(min=0, max=2**31))
    count = Integer(load_default=50, validate=Range(min=1, max=ROUNDS_AT_ONCE_MAX))


_LINES: dict[Any, Any] = {200: {"description": "JSON lines", "content": {JSON_LINES: {}}}}


def api_blueprint(source: SnapshotSource) -> APIBlueprint:
    """Make all routes under `/api/v1` that only read."""
    api = APIBlueprint("api", __name__, url_prefix="/api/v1", tag="Watching")

    @api.get("/snapshot")
    @api.doc(summary="The present and the curves", responses=_answers(Snapshot))
    def snapshot() -> Response:
        return json_answer(source.snapshot())

    @api.get("/rounds")
    @api.input(RoundsQuery, location="query")
    @api.doc(summary="Rounds of the past, oldest first", responses=_answers(RoundPage))
    def rounds(query_data: dict[str, int]) -> Response:
        return json_answer(source.rounds(query_data["first"], query_data["count"]))

    @api.get("/rounds/<int:number>")
    @api.doc(summary="One round of the past", responses=_answers(RoundRecord, not_found=True))
    def one_round(number: int) -> Response:
        found = source.rounds(min(number, 2**31), 1)["rounds"]
        if not found or found[0]["round"] != number:
            abort(404, f"this dashboard does not know round {number}")
        return json_answer(found[0])

    @api.get("/peers")
    @api.doc(summary="The peers", responses=_answers(PeerList))
    def peers() -> Response:
        return json_answer({"peers": source.snapshot()["peers"]})

    @api.get("/peers/<peer_id>")
    @api.doc(summary="One peer and its past", responses=_answers(PeerDetails, not_found=True))
    def one_peer(peer_id: str) -> Response:
        details = peer_details(source, peer_id)
        if details is None:
            abort(404, "no peer of this run has this id")
        return json_answer(details)

    @api.get("/alerts")
    @api.doc(summary="All alerts, oldest first", responses=_answers(AlertList))
    def alerts() -> Response:
        return json_answer({"alerts": source.alerts()})

    @api.get("/events.jsonl")
    @api.doc(
        summary="Rounds and alerts, one JSON object per line",
        responses=_LINES,
    )
    def events() -> Response:
        lines = (json.dumps(json_safe(event)) + "\n" for event in all_events(source))
        headers = {"Content-Disposition": 'attachment; filename="swarm-events.jsonl"'}
        return Response(lines, mimetype=JSON_LINES, headers=headers)

    return api


def peer_details(source: SnapshotSource, peer_id: str) -> PeerDetails | None:
    """Return everything known about one peer, or None if no peer of the run has this id."""
    snapshot = source.snapshot()
    row = next((peer for peer in snapshot["peers"] if peer["id"] == peer_id), None)
    contributions = [
        PeerContribution(**contributor, round=record["round"])
        for record in all_rounds(source)
        for contributor in record["contributors"]
        if contributor["peer"] == peer_id
    ]
    curve = snapshot["curves"]["peers"].get(peer_id, [])
    alerts = [alert for alert in source.alerts() if alert["peer"] == peer_id]
    if row is None and not (contributions or curve or alerts):
        return None
    return PeerDetails(peer=row, curve=curve, contributions=contributions, alerts=alerts)


def all_rounds(source: SnapshotSource) -> Iterator[RoundRecord]:
    """Yield every known round, oldest first."""
    following: int | None = 0
    while following is not None:
        page = source.rounds(following, ROUNDS_AT_ONCE_MAX)
        yield from page["rounds"]
        following = page["next"]


def all_events(source: SnapshotSource) -> Iterator[dict[str, Any]]:
    """Yield every round, each followed by its alerts; then the alerts of the current round."""
    yielded: set[str] = set()
    for record in all_rounds(source):
        yielded |= {alert["id"] for alert in record["alerts"]}
        yield {"type": "round", **{k: v for k, v in record.items() if k != "alerts"}}
        yield from ({"type": "alert", **alert} for alert in record["alerts"])
    yield from ({"type": "alert", **a} for a in source.alerts() if a["id"] not in yielded)


def _answers(kind: type, *, not_found: bool = False) -> dict[Any, Any]:
    content = {"application/json": {"schema": schema_of(kind)}}
    answers: dict[Any, Any] = {200: {"description": kind.__doc__ or "", "content": content}}
    if not_found:
        answers[404] = {"description": "Not known to this dashboard."}
    return answers
