"""The API: the present, the past, and everything as JSON lines."""

import json
from collections.abc import Iterator
from typing import Any, TypedDict

from apiflask import APIBlueprint, Schema
from apiflask.fields import Integer
from apiflask.validators import Range
from flask import Response, abort, jsonify

from dashboard.watching.schemas import schema_of
from dashboard.watching.snapshot import (
    Alert,
    ContributorRecord,
    CurvePoint,
    PeerFacts,
    RoundPage,
    RoundRecord,
    Snapshot,
)
from dashboard.watching.snapshot_diff import json_safe
from dashboard.watching.source import SnapshotSource

ROUNDS_AT_ONCE_MAX = 200
JSON_LINES = "application/x-ndjson"


class PeerList(TypedDict):
    """The rows of the peers table."""

    peers: list[PeerFacts]


class AlertList(TypedDict):
    """All alerts, oldest first."""

    alerts: list[Alert]


class PeerContribution(ContributorRecord):
    """A contribution of one peer, with the round that named it."""

    round: int


class PeerDetails(TypedDict):
    """One peer, its curve, contributions and alerts, each in the order of the rounds."""

    peer: PeerFacts | None
    """None if it is not among those seen lately."""
    curve: list[CurvePoint]
    contributions: list[PeerContribution]
    alerts: list[Alert]


class RoundsQuery(Schema):
    """Which rounds to answer with."""

    first = Integer(load_default=0, validate=Range(min=0, max=2**31))
    count = Integer(load_default=50, validate=Range(min=1, max=ROUNDS_AT_ONCE_MAX))


_LINES: dict[Any, Any] = {200: {"description": "JSON lines", "content": {JSON_LINES: {}}}}


def api_blueprint(source: SnapshotSource) -> APIBlueprint:
    """Everything under `/api/v1` that only reads."""
    api = APIBlueprint("api", __name__, url_prefix="/api/v1", tag="Watching")

    @api.get("/snapshot")
    @api.doc(summary="The present, and the curves", responses=_answers(Snapshot))
    def snapshot() -> Response:
        return _json(source.snapshot())

    @api.get("/rounds")
    @api.input(RoundsQuery, location="query")
    @api.doc(summary="Rounds of the past, oldest first", responses=_answers(RoundPage))
    def rounds(query_data: dict[str, int]) -> Response:
        return _json(source.rounds(query_data["first"], query_data["count"]))

    @api.get("/rounds/<int:number>")
    @api.doc(summary="One round of the past", responses=_answers(RoundRecord, not_found=True))
    def one_round(number: int) -> Response:
        found = source.rounds(min(number, 2**31), 1)["rounds"]
        if not found or found[0]["round"] != number:
            abort(404, f"round {number} is not known here")
        return _json(found[0])

    @api.get("/peers")
    @api.doc(summary="The peers", responses=_answers(PeerList))
    def peers() -> Response:
        return _json({"peers": source.snapshot()["peers"]})

    @api.get("/peers/<peer_id>")
    @api.doc(summary="One peer and its past", responses=_answers(PeerDetails, not_found=True))
    def one_peer(peer_id: str) -> Response:
        details = peer_details(source, peer_id)
        if details is None:
            abort(404, "no peer of this run has that id")
        return _json(details)

    @api.get("/alerts")
    @api.doc(summary="All alerts, oldest first", responses=_answers(AlertList))
    def alerts() -> Response:
        return _json({"alerts": source.alerts()})

    @api.get("/events.jsonl")
    @api.doc(
        summary="Rounds and alerts, one JSON object a line",
        responses=_LINES,
    )
    def events() -> Response:
        lines = (json.dumps(json_safe(event)) + "\n" for event in all_events(source))
        headers = {"Content-Disposition": 'attachment; filename="swarm-events.jsonl"'}
        return Response(lines, mimetype=JSON_LINES, headers=headers)

    return api


def peer_details(source: SnapshotSource, peer_id: str) -> PeerDetails | None:
    """All that is known of one peer, or None if the run knows no such peer."""
    snapshot = source.snapshot()
    facts = next((peer for peer in snapshot["peers"] if peer["id"] == peer_id), None)
    contributions = [
        PeerContribution(**contributor, round=record["round"])
        for record in all_rounds(source)
        for contributor in record["contributors"]
        if contributor["peer"] == peer_id
    ]
    curve = snapshot["curves"]["peers"].get(peer_id, [])
    alerts = [alert for alert in source.alerts() if alert["peer"] == peer_id]
    if facts is None and not (contributions or curve or alerts):
        return None
    return PeerDetails(peer=facts, curve=curve, contributions=contributions, alerts=alerts)


def all_rounds(source: SnapshotSource) -> Iterator[RoundRecord]:
    """Every round that is known, oldest first."""
    following: int | None = 0
    while following is not None:
        page = source.rounds(following, ROUNDS_AT_ONCE_MAX)
        yield from page["rounds"]
        following = page["next"]


def all_events(source: SnapshotSource) -> Iterator[dict[str, Any]]:
    """Every round, each followed by its alerts; then the alerts of the round under way."""
    told: set[str] = set()
    for record in all_rounds(source):
        told |= {alert["id"] for alert in record["alerts"]}
        yield {"type": "round", **{k: v for k, v in record.items() if k != "alerts"}}
        yield from ({"type": "alert", **alert} for alert in record["alerts"])
    yield from ({"type": "alert", **a} for a in source.alerts() if a["id"] not in told)


def _answers(kind: type, *, not_found: bool = False) -> dict[Any, Any]:
    content = {"application/json": {"schema": schema_of(kind)}}
    answers: dict[Any, Any] = {200: {"description": kind.__doc__ or "", "content": content}}
    if not_found:
        answers[404] = {"description": "Nothing of that name is known."}
    return answers


def _json(value: Any) -> Response:
    answer = jsonify(json_safe(value))
    answer.headers["Cache-Control"] = "no-store"
    return answer
