"""`/api/v1/ensembles`: what it answers, what it refuses and why, and who may ask."""

import threading

import pytest
from fake_ensembles import answer, classification, ensemble
from fake_run import FakeRun
from fake_source import FakeSource

from dashboard.app import create_app
from dashboard.config import DashboardConfig
from dashboard.ensemble.asking import QUESTIONS_AT_ONCE_MAX, HttpAsking, check_size
from dashboard.watching.api_schemas import schema_of
from dashboard.watching.ensemble_types import EnsembleAnswer
from dashboard.watching.snapshot_types import Snapshot
from swarm.core.errors import DataError, EndedError, NoQuorumError, OverloadedError

HOUSES, TUMOURS = ensemble(), classification()
TOKEN = "a token of many characters"  # noqa: S105 -- of this test
ANYWHERE = "0.0.0.0"  # noqa: S104 -- no port is bound
PREDICT = "/api/v1/ensembles/house-prices/predict"
ROWS = {"rows": [{"LotArea": 9000, "Neighborhood": "NAmes"}, {"LotArea": None}]}


@pytest.fixture
def source():
    return FakeSource(FakeRun(6).at(45.0) | {"ensembles": [HOUSES, TUMOURS]})


@pytest.fixture
def browser(source):
    return create_app(source, DashboardConfig()).test_client()


def test_the_invented_ensembles_and_answers_have_the_declared_types():
    snapshot = FakeRun(6).at(45.0) | {"ensembles": [HOUSES, TUMOURS]}

    assert schema_of(Snapshot)().validate(snapshot) == {}
    for asked in (HOUSES, TUMOURS):
        made = answer(asked, [{}, {}], 0.9, True)
        assert schema_of(EnsembleAnswer)().validate(made) == {}


def test_ensembles_are_listed_and_found_by_name_or_id(browser):
    assert browser.get("/api/v1/ensembles").json == {"ensembles": [HOUSES, TUMOURS]}
    assert browser.get("/api/v1/ensembles/house-prices").json == HOUSES
    assert browser.get(f"/api/v1/ensembles/{HOUSES['id'][:8]}").json == HOUSES


def test_the_matrix_names_members_and_scores(browser):
    matrix = browser.get("/api/v1/ensembles/house-prices/matrix").json

    assert matrix["metric"] == "rmsle"
    assert matrix["members"] == [member["peer"] for member in HOUSES["members"]]
    assert matrix["scores"] == HOUSES["matrix"]


@pytest.mark.parametrize("path", ["nothing", "nothing/matrix", HOUSES["id"][:7]])
def test_an_unknown_ensemble_is_named_with_those_that_exist(browser, path):
    refused = browser.get(f"/api/v1/ensembles/{path}")

    assert refused.status_code == 404
    assert "'house-prices', 'tumours'" in refused.json["message"]


def test_two_ensembles_of_one_name_are_told_apart_by_their_ids(browser, source):
    other = ensemble(name="other") | {"name": "house-prices"}
    source.show(source.snapshot() | {"ensembles": [HOUSES, other]})

    refused = browser.post(PREDICT, json=ROWS)

    assert refused.status_code == 404
    assert other["id"][:16] in refused.json["message"]
    assert browser.get(f"/api/v1/ensembles/{other['id']}").json == other


def test_rows_are_asked_with_their_coverage(browser, source):
    got = browser.post(PREDICT, json=ROWS | {"coverage": 0.8, "detail": True})

    assert got.status_code == 200
    assert got.json == answer(HOUSES, ROWS["rows"], 0.8, True)
    assert source.asked == [(HOUSES["id"], ROWS["rows"], 0.8)]


def test_the_coverage_is_nine_tenths_unless_given(browser, source):
    browser.post(PREDICT, json=ROWS)

    assert source.asked[0][2] == 0.9


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rows"),
        ({"rows": []}, "rows"),
        ({"rows": "all"}, "rows"),
        (ROWS | {"coverage": 1}, "coverage"),
        (ROWS | {"coverage": 0}, "coverage"),
        (ROWS | {"detail": "maybe"}, "detail"),
        (ROWS | {"coverge": 0.5}, "coverge"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named(browser, source, body, field):
    refused = browser.post(PREDICT, json=body)

    assert refused.status_code == 422
    assert list(refused.json["detail"]["json"]) == [field]
    assert source.asked == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DataError("row 1: column 'LotArea' has numbers, got 'big'"), 400),
        (OverloadedError("busy: 8192 rows wait"), 429),
        (NoQuorumError("1 member answered, at least 2 must"), 503),
        (EndedError("the observer has ended"), 503),
    ],
)
def test_why_a_question_failed_is_said(browser, source, error, status):
    source.refusal = error

    refused = browser.post(PREDICT, json=ROWS)

    assert (refused.status_code, refused.json) == (status, {"message": str(error)})
    assert ("Retry-After" in refused.headers) == (status == 429)


def test_a_body_beyond_the_limit_is_refused(browser, monkeypatch, source):
    monkeypatch.setattr("dashboard.ensemble.ensemble_api.BODY_BYTES_MAX", 100)

    refused = browser.post(PREDICT, json={"rows": [{"LotArea": 1}] * 50})

    assert refused.status_code == 413
    assert source.asked == []


def test_more_rows_fit_than_in_a_command(browser):
    got = browser.post(PREDICT, json={"rows": [{"LotArea": 9000}] * 5000})

    assert len(got.json["values"]) == 5000


def test_questions_beyond_the_limit_are_refused_at_once():
    arrived = threading.Barrier(QUESTIONS_AT_ONCE_MAX + 1)
    over = threading.Event()

    class Slow(FakeSource):
        def ask(self, *args, **options):
            arrived.wait()
            over.wait()
            return super().ask(*args, **options)

    asking = HttpAsking(Slow(FakeRun(6).at(45.0) | {"ensembles": [HOUSES]}))

    def ask():
        asking.ask(HOUSES["id"], [{}], 0.9, detail=False)

    threads = [threading.Thread(target=ask) for _ in range(QUESTIONS_AT_ONCE_MAX)]
    for thread in threads:
        thread.start()
    arrived.wait()

    with pytest.raises(OverloadedError, match="16 questions are under way"):
        ask()
    over.set()
    for thread in threads:
        thread.join()


def test_browsers_without_scripts_see_the_ensembles(browser, monkeypatch):
    monkeypatch.setattr("dashboard.app.missing_assets", lambda _: [])  # npm may not have run

    page = browser.get("/ensemble")

    assert "<li>house-prices: 3 members, answers</li>" in page.text


# -- who may ask


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_a_page_of_another_origin_cannot_ask(browser, source, origin):
    refused = browser.post(PREDICT, json=ROWS, headers={"Origin": origin})

    assert refused.status_code == 403
    assert source.asked == []


@pytest.mark.parametrize(
    "config",
    [
        DashboardConfig(host=ANYWHERE, token=TOKEN),
        DashboardConfig(host=ANYWHERE, token=TOKEN, allow_remote=True),
        DashboardConfig(token=TOKEN, behind_tls_proxy=True),
    ],
)
@pytest.mark.parametrize("path", [PREDICT, "/v2/models/house-prices/infer"])
def test_others_than_this_machine_need_the_token_to_ask(source, config, path):
    browser = create_app(source, config).test_client()
    headers = {"Host": "localhost"}

    refused = browser.post(path, json=ROWS, headers=headers)
    wrong = browser.post(path, json=ROWS, headers=headers | {"Authorization": "Bearer no"})
    right = headers | {"Authorization": f"Bearer {TOKEN}"}
    allowed = browser.post(path, json=ROWS, headers=right)

    assert (refused.status_code, wrong.status_code) == (401, 401)
    assert allowed.status_code != 401


def test_asking_without_a_token_is_refused_where_all_may_see_the_page(source):
    browser = create_app(source, DashboardConfig(host=ANYWHERE, allow_remote=True)).test_client()
    headers = {"Host": "localhost"}

    assert browser.get("/api/v1/ensembles", headers=headers).status_code == 200
    assert browser.post(PREDICT, json=ROWS, headers=headers).status_code == 401
    assert source.asked == []


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_only_questions_are_accepted(browser, method):
    assert getattr(browser, method)(PREDICT).status_code == 405
    assert getattr(browser, method)("/api/v1/ensembles/house-prices").status_code == 405


@pytest.mark.parametrize("rows", ["[" * 5000 + "]" * 5000, "[" + "9" * 5000 + "]", "{"])
def test_json_that_no_parser_takes_is_refused(browser, rows):
    refused = browser.post(PREDICT, data='{"rows": ' + rows + "}", content_type="application/json")

    assert refused.status_code in {400, 422}


def test_an_answer_of_too_many_numbers_is_refused_before_anyone_is_asked():
    wide = HOUSES | {"classes": [str(number) for number in range(1000)]}

    check_size(wide, 10_000, detail=False)
    with pytest.raises(DataError, match="at most 10,000,000 numbers"):
        check_size(wide, 10_001, detail=False)
    with pytest.raises(DataError, match="ask for fewer rows"):
        check_size(wide, 10_000, detail=True)
