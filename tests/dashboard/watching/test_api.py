"""The API: its answers, its OpenAPI description, and metrics."""

import json
import re
from typing import Literal, TypedDict

import pytest
from fake_run import FakeRun
from fake_source import FakeSource, nothing_yet

from dashboard.app import create_app
from dashboard.config import DashboardConfig
from dashboard.watching.api import ROUNDS_AT_ONCE_MAX
from dashboard.watching.api_schemas import schema_of
from dashboard.watching.snapshot_types import RoundRecord, Snapshot

RUN = FakeRun(6)
AT_S = 45.0


@pytest.fixture
def source():
    return FakeSource(RUN.at(AT_S), RUN.past(AT_S))


@pytest.fixture
def browser(source):
    return create_app(source, DashboardConfig()).test_client()


def test_the_fake_run_has_the_declared_types():
    assert schema_of(Snapshot)().validate(RUN.at(AT_S)) == {}
    for record in RUN.past(AT_S):
        assert schema_of(RoundRecord)().validate(record) == {}


def test_the_snapshot_has_an_address_with_a_version(browser):
    assert browser.get("/api/v1/snapshot").json == browser.get("/api/snapshot").json


def test_pages_of_rounds_cover_the_whole_run(browser):
    read, following = [], 0
    while following is not None:
        page = browser.get(f"/api/v1/rounds?first={following}&count=2").json
        assert len(page["rounds"]) <= 2
        read += page["rounds"]
        following = page["next"]

    assert read == RUN.past(AT_S)
    assert page["history"] == {"first_round": 0, "last_round": 4, "complete": True}


def test_a_round_is_requested_by_its_number(browser):
    answer = browser.get("/api/v1/rounds/3")

    assert answer.json == RUN.past(AT_S)[3]
    assert answer.json["absent"] == [RUN.lost]
    assert answer.json["alerts"][0]["kind"] == "lost"


@pytest.mark.parametrize("path", ["rounds/99", "peers/nobody", "nothing"])
def test_a_missing_thing_is_reported_in_json(browser, path):
    answer = browser.get(f"/api/v1/{path}")

    assert answer.status_code == 404
    assert answer.json["message"]


@pytest.mark.parametrize("query", ["count=0", f"count={ROUNDS_AT_ONCE_MAX + 1}", "first=-1"])
def test_values_out_of_range_are_refused_by_name(browser, query):
    answer = browser.get(f"/api/v1/rounds?{query}")

    assert answer.status_code == 422
    assert list(answer.json["detail"]["query"]) == [query.partition("=")[0]]


def test_a_peer_is_shown_with_its_curve_contributions_and_alerts(browser):
    answer = browser.get(f"/api/v1/peers/{RUN.lost}").json

    assert answer["peer"]["state"] == "lost"
    assert [point["round"] for point in answer["curve"]] == [1, 2]
    assert [c["round"] for c in answer["contributions"]] == [1, 2]
    assert [alert["kind"] for alert in answer["alerts"]] == ["lost"]


def test_each_event_is_one_json_line(browser):
    answer = browser.get("/api/v1/events.jsonl")

    events = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.mimetype == "application/x-ndjson"
    assert [e["round"] for e in events if e["type"] == "round"] == [0, 1, 2, 3, 4]
    alerts = [e["id"] for e in events if e["type"] == "alert"]
    assert sorted(alerts) == sorted(alert["id"] for alert in RUN.alerts(AT_S))


def test_the_openapi_description_has_every_address_and_its_answer(browser):
    spec = browser.get("/api/v1/openapi.json").json

    assert spec["openapi"].startswith("3.")
    assert {path for path in spec["paths"] if "operator" not in path} == {
        "/api/v1/snapshot",
        "/api/v1/rounds",
        "/api/v1/rounds/{number}",
        "/api/v1/peers",
        "/api/v1/peers/{peer_id}",
        "/api/v1/alerts",
        "/api/v1/events.jsonl",
        "/api/v1/ensembles",
        "/api/v1/ensembles/{name}",
        "/api/v1/ensembles/{name}/matrix",
        "/api/v1/ensembles/{name}/predict",
    }
    schema = spec["components"]["schemas"]["Alert"]["properties"]
    assert schema["severity"]["enum"] == ["info", "warning", "error"]
    assert schema["peer"]["type"] == ["string", "null"] or schema["peer"]["nullable"]


# -- Prometheus


def samples(text):
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def test_metrics_contain_the_run_and_every_peer(browser):
    answer = browser.get("/metrics")

    seen = samples(answer.text)
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    assert seen["swarm_round"] == 5
    assert seen["swarm_global_accuracy"] == RUN.at(AT_S)["global"]["accuracy"]
    assert seen['swarm_peers{state="lost"}'] == 1
    assert seen['swarm_run_state{state="running"}'] == 1
    assert seen['swarm_alerts{kind="lost",severity="error"}'] == 1
    peer = RUN.at(AT_S)["peers"][0]
    label = f'{{name="{peer["name"]}",peer="{peer["id"]}"}}'
    assert seen[f"swarm_peer_sent_bytes_total{label}"] == peer["bytes_sent"]
    assert len([name for name in seen if name.startswith("swarm_peer_examples{")]) == 6


def test_a_hostile_name_stays_inside_its_label(browser, source):
    shown = RUN.at(AT_S)
    shown["peers"][0]["name"] = 'x"} 1\nswarm_round 99\n# HELP \\'
    source.show(shown)

    seen = browser.get("/metrics").text

    assert not re.search(r"^swarm_round 99", seen, re.MULTILINE)
    assert 'name="x\\"} 1\\nswarm_round 99\\n# HELP \\\\"' in seen


def test_metrics_exist_before_anything_is_known():
    text = create_app(FakeSource(nothing_yet()), DashboardConfig()).test_client().get("/metrics")

    assert "swarm_global_accuracy NaN" in text.text


def test_schemas_follow_every_kind_of_hint():
    class Inner(TypedDict):
        number: int

    class Outer(TypedDict):
        inner: Inner | None
        many: list[Inner]
        named: dict[str, Inner]
        mixed: dict[str, int | str | None]
        kind: Literal["a", "b"]

    schema = schema_of(Outer)()
    good = {
        "inner": None,
        "many": [{"number": 1}],
        "named": {"x": {"number": 2}},
        "mixed": {"one": 1, "two": "b", "three": None},
        "kind": "a",
    }

    assert schema.validate(good) == {}
    assert list(schema.validate({**good, "kind": "c"})) == ["kind"]
    assert list(schema.validate({**good, "many": [{"number": "x"}]})) == ["many"]
    assert list(schema.validate({**good, "many": None})) == ["many"]
    assert schema.validate({}) == {name: ["Missing data for required field."] for name in good}
