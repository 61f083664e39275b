"""Signing in, commands, and refused requests."""

import pytest
from fake_run import FakeRun
from fake_source import FakeSource

from dashboard.access.sign_ins import (
    FAILURES_MAX,
    FAILURES_OF_ALL_MAX,
    GRACE_S,
    IDLE_S,
    LASTS_S,
    LOCKED_S,
    LOCKED_S_MAX,
    ROTATED_EVERY_S,
    SIGN_INS_MAX,
    LockOut,
    SignIns,
)
from dashboard.app import create_app
from dashboard.config import DashboardConfig
from swarm.core.errors import ConfigurationError, NetworkError

TOKEN = "a token long enough"  # noqa: S105 (protects nothing)
ANY = "0.0.0.0"  # noqa: S104 (what is being guarded)
SESSION, COMMANDS = "/api/v1/operator/session", "/api/v1/operator/commands"


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def source():
    return FakeSource(FakeRun(6).at(45.0))


def browser_of(source, **settings):
    config = DashboardConfig(**{"token": TOKEN, **settings})
    return create_app(source, config).test_client()


@pytest.fixture
def browser(source):
    return browser_of(source)


def sign_in(browser):
    return {"X-CSRF-Token": browser.post(SESSION, json={"token": TOKEN}).json["csrf"]}


def test_with_the_token_a_browser_signs_in_and_gives_commands(browser, source):
    csrf = sign_in(browser)

    answer = browser.post(COMMANDS, json={"action": "pause"}, headers=csrf)

    assert answer.status_code == 202
    assert answer.json["state"] == "pending"  # peers confirm it later
    assert source.commands == [("pause", None, None)]
    assert browser.get("/api/v1/operator").json["signed_in"]


def test_a_command_with_a_peer_and_one_with_a_value_reach_the_source(browser, source):
    csrf = sign_in(browser)
    browser.post(COMMANDS, json={"action": "remove", "peer": "12D3KooWx"}, headers=csrf)

    browser.post(COMMANDS, json={"action": "threshold", "value": 0.2}, headers=csrf)

    assert source.commands == [("remove", "12D3KooWx", None), ("threshold", None, 0.2)]


def test_a_command_to_peers_names_its_session(browser, source):
    csrf = sign_in(browser)
    session = "5" * 64

    answer = browser.post(COMMANDS, json={"action": "join", "session": session}, headers=csrf)

    assert (answer.status_code, answer.json["session"]) == (202, session)
    assert source.commands == [("join", None, None)]


def test_commands_are_refused_without_signing_in(browser, source):
    answer = browser.post(COMMANDS, json={"action": "stop"}, headers={"X-CSRF-Token": "x"})

    assert (answer.status_code, source.commands) == (401, [])


@pytest.mark.parametrize("headers", [{}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "wrong"}])
def test_the_cookie_alone_is_not_enough_for_a_command(browser, source, headers):
    sign_in(browser)

    answer = browser.post(COMMANDS, json={"action": "stop"}, headers=headers)

    assert (answer.status_code, source.commands) == (403, [])


def test_a_page_of_another_origin_cannot_give_commands(browser, source):
    headers = {**sign_in(browser), "Origin": "http://evil.example"}

    answer = browser.post(COMMANDS, json={"action": "stop"}, headers=headers)

    assert (answer.status_code, source.commands) == (403, [])


@pytest.mark.parametrize(
    "body", [{}, {"action": "explode"}, {"action": "threshold", "value": 2}, {"action": 3}, []]
)
def test_an_invalid_command_is_refused(browser, source, body):
    answer = browser.post(COMMANDS, json=body, headers=sign_in(browser))

    assert (answer.status_code, source.commands) == (422, [])


def test_a_body_that_is_too_large_is_refused(browser, source):
    body = {"action": "pause", "more": "x" * 20_000}

    answer = browser.post(COMMANDS, json=body, headers=sign_in(browser))

    assert (answer.status_code, source.commands) == (413, [])


@pytest.mark.parametrize(
    ("error", "status"),
    [(ConfigurationError("no session was found"), 400), (NetworkError("it ended"), 503)],
)
def test_an_error_of_the_swarm_is_in_the_answer(browser, source, monkeypatch, error, status):
    def refuse(**_):
        raise error

    monkeypatch.setattr(source, "command", refuse)

    answer = browser.post(COMMANDS, json={"action": "pause"}, headers=sign_in(browser))

    assert (answer.status_code, answer.json["message"]) == (status, str(error))


def test_scripts_and_other_sites_cannot_use_the_cookie(browser):
    cookie = browser.post(SESSION, json={"token": TOKEN}).headers["Set-Cookie"]

    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


@pytest.mark.parametrize("how", ["certificate", "proxy"])
def test_behind_tls_the_cookie_is_only_sent_over_tls(source, tmp_path, how):
    file = tmp_path / "file.pem"
    file.write_text("pem")
    tls = {"tls_cert": file, "tls_key": file} if how == "certificate" else {}
    browser = browser_of(source, behind_tls_proxy=how == "proxy", **tls)

    answer = browser.post(SESSION, json={"token": TOKEN}, base_url="https://localhost")

    assert answer.headers["Set-Cookie"].startswith("__Host-swarm=")
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")
    assert ("Strict-Transport-Security" in answer.headers) == (how == "certificate")


def test_signing_in_begins_a_new_session_and_ends_the_earlier_one(browser, source):
    earlier = browser.post(SESSION, json={"token": TOKEN})
    old_cookie = earlier.headers["Set-Cookie"].split(";")[0]

    later = browser.post(SESSION, json={"token": TOKEN})

    assert later.headers["Set-Cookie"].split(";")[0] != old_cookie
    thief = browser_of(source)  # of the same application
    thief.application = browser.application
    headers = {"Cookie": old_cookie, "X-CSRF-Token": earlier.json["csrf"]}
    assert thief.post(COMMANDS, json={"action": "stop"}, headers=headers).status_code == 401


def test_signing_out_ends_the_session(browser):
    csrf = sign_in(browser)
    assert browser.delete(SESSION).status_code == 403

    assert browser.delete(SESSION, headers=csrf).status_code == 200

    assert browser.post(COMMANDS, json={"action": "stop"}, headers=csrf).status_code == 401


def test_after_wrong_tokens_even_the_right_one_is_locked_out(browser):
    tries = [browser.post(SESSION, json={"token": "wrong"}) for _ in range(FAILURES_MAX)]

    locked = browser.post(SESSION, json={"token": TOKEN})

    assert {answer.status_code for answer in tries} == {401}
    assert locked.status_code == 429
    assert int(locked.headers["Retry-After"]) > 0
    assert "Set-Cookie" not in locked.headers


def test_without_a_token_signing_in_is_impossible(source):
    browser = browser_of(source, token="")

    assert browser.post(SESSION, json={"token": ""}).status_code == 422
    assert browser.post(SESSION, json={"token": "x"}).status_code == 401


@pytest.mark.parametrize("path", ["/", "/api/snapshot", "/api/v1/alerts", "/metrics"])
@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options"])
def test_no_other_address_accepts_a_command(browser, path, method):
    assert getattr(browser, method)(path).status_code == 405


# -- viewing


PRIVATE = ["/api/snapshot", "/api/v1/snapshot", "/api/v1/rounds", "/metrics", "/vendor/preact.js"]


@pytest.mark.parametrize("path", [*PRIVATE, "/socket.io/?EIO=4&transport=websocket"])
def test_on_a_public_address_viewing_needs_the_token(source, path):
    browser = browser_of(source, host=ANY)

    assert browser.get(path).status_code == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    wrong = {"Authorization": "Bearer wrong"}
    assert browser.get(path, headers=wrong).status_code == 401
    with browser.get(path, headers=bearer) as shown:
        assert shown.status_code != 401
    sign_in(browser)
    with browser.get(path) as shown:
        assert shown.status_code != 401


def test_on_a_public_address_the_page_is_the_sign_in_form(source):
    browser = browser_of(source, host=ANY)

    asking = browser.get("/")

    assert asking.status_code == 401
    assert 'id="signin"' in asking.text
    assert "peer-1" not in asking.text
    with browser.get("/static/js/signin.js") as script:
        assert script.status_code == 200


@pytest.mark.parametrize("settings", [{}, {"host": ANY, "allow_remote": True}])
@pytest.mark.parametrize("path", ["/api/snapshot", "/metrics"])
def test_on_other_addresses_viewing_needs_no_token(source, settings, path):
    assert browser_of(source, **settings).get(path).status_code == 200


def test_a_bearer_token_only_allows_viewing(source):
    browser = browser_of(source, host=ANY)
    bearer = {"Authorization": f"Bearer {TOKEN}", "X-CSRF-Token": TOKEN}

    assert browser.post(COMMANDS, json={"action": "stop"}, headers=bearer).status_code == 401


# -- sign-ins


def test_an_old_id_is_replaced_and_stays_valid_for_a_grace_period(clock):
    sessions = SignIns(TOKEN, clock)
    old, session = sessions.begin()
    assert sessions.rotated(old) is None
    clock.now_s += ROTATED_EVERY_S

    new = sessions.rotated(old)

    assert new is not None
    assert sessions.rotated(old) is None
    found = sessions.find(new)
    assert found is not None
    assert found.csrf == session.csrf
    assert sessions.find(old) is not None
    clock.now_s += GRACE_S
    assert sessions.find(old) is None
    assert sessions.find(new) is not None


def test_sign_ins_end_when_idle_and_also_after_a_fixed_time(clock):
    sessions = SignIns(TOKEN, clock)
    idle, _ = sessions.begin()
    busy, _ = sessions.begin()
    began_s = clock.now_s

    while clock.now_s < began_s + LASTS_S - IDLE_S / 2:
        clock.now_s += IDLE_S / 2
        assert sessions.find(busy) is not None

    assert sessions.find(idle) is None
    clock.now_s += IDLE_S / 2
    assert sessions.find(busy) is None


def test_signing_out_ends_the_replaced_id_as_well(clock):
    sessions = SignIns(TOKEN, clock)
    old, _ = sessions.begin()
    clock.now_s += ROTATED_EVERY_S
    new = sessions.rotated(old)

    sessions.end(new)

    assert sessions.find(old) is None


def test_the_number_of_sign_ins_is_bounded(clock):
    sessions = SignIns(TOKEN, clock)
    ids = []
    for _ in range(2 * SIGN_INS_MAX):
        clock.now_s += 1
        ids.append(sessions.begin()[0])

    assert [sessions.find(i) is not None for i in ids].count(True) == SIGN_INS_MAX
    assert sessions.find(ids[-1]) is not None


def test_each_failure_beyond_the_fifth_doubles_the_wait(clock):
    locks = LockOut(clock)
    for _ in range(FAILURES_MAX - 1):
        locks.add_failure("a")
    assert locks.wait_s("a") == 0

    waits = []
    for _ in range(8):
        locks.add_failure("a")
        waits.append(locks.wait_s("a"))

    assert waits[:3] == [LOCKED_S, 2 * LOCKED_S, 4 * LOCKED_S]
    assert waits[-1] == LOCKED_S_MAX
    assert locks.wait_s("b") == 0
    locks.clear("a")
    assert locks.wait_s("a") == 0


def test_many_addresses_together_do_not_guess_faster(clock):
    locks = LockOut(clock)

    for k in range(FAILURES_OF_ALL_MAX):
        locks.add_failure(f"address {k}")

    assert locks.wait_s("another") == LOCKED_S_MAX
    clock.now_s += LOCKED_S_MAX
    assert locks.wait_s("another") == 0
