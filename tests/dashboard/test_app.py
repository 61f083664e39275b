import base64
import hashlib
import re

import pytest
from fake_run import FakeRun
from fake_source import FakeSource

from dashboard.app import create_app
from dashboard.config import DashboardConfig
from dashboard.page.assets import ASSETS

SNAPSHOT = FakeRun(6).at(29.0)


@pytest.fixture
def libraries(tmp_path):
    """A folder with every library file that the page needs, as npm would install it."""
    for path, _ in ASSETS.values():
        file = tmp_path / "node_modules" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("/* installed */")
    return tmp_path / "node_modules"


@pytest.fixture
def source():
    return FakeSource(SNAPSHOT)


@pytest.fixture
def browser(source, libraries):
    return create_app(source, DashboardConfig(), node_modules=libraries).test_client()


def test_the_page_is_served(browser):
    answer = browser.get("/")

    assert answer.status_code == 200
    assert "<title>Swarm</title>" in answer.text


def test_the_policy_allows_no_inline_script_but_the_import_map(browser):
    answer = browser.get("/")

    policy = answer.headers["Content-Security-Policy"]
    (import_map,) = re.findall(r'<script type="importmap">(.*?)</script>', answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=|\son\w+=|<style", answer.text)


@pytest.mark.parametrize("path", ["/", "/api/snapshot", "/healthz", "/nothing", "/socket.io/?x=1"])
def test_every_answer_carries_the_security_headers(browser, path):
    headers = browser.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Content-Security-Policy" in headers
    assert "Access-Control-Allow-Origin" not in headers


def test_the_snapshot_is_there_as_json(browser):
    answer = browser.get("/api/snapshot")

    assert answer.json == SNAPSHOT
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_diverged_loss_is_valid_json(browser, source):
    diverged = FakeRun(6).at(29.0)
    diverged["global"]["loss"] = float("nan")
    source.show(diverged)

    assert browser.get("/api/snapshot").json["global"]["loss"] is None


def test_healthz_says_ok(browser):
    assert browser.get("/healthz").json == {"status": "ok", "version": SNAPSHOT["version"]}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5000", "10.0.0.1", "localhost.evil.example"]
)
@pytest.mark.parametrize("path", ["/", "/api/snapshot", "/socket.io/?EIO=4&transport=websocket"])
def test_an_unknown_host_is_refused(browser, host, path):
    answer = browser.get(path, headers={"Host": host})

    assert answer.status_code == 403
    assert "--allow-host" in answer.text


@pytest.mark.parametrize("host", ["", "a b", "user@localhost", "localhost/x", "[::1"])
def test_a_malformed_host_is_a_bad_request(browser, host):
    assert browser.get("/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5000", "127.0.0.1:81", "[::1]:5000"])
def test_names_of_this_machine_are_answered(browser, host):
    assert browser.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:81"])
def test_pages_of_another_origin_are_refused(browser, origin):
    headers = {"Host": "localhost:5000", "Origin": origin}

    assert browser.get("/api/snapshot", headers=headers).status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_reading_is_possible(browser, method):
    assert browser.open("/", method=method).status_code == 405


def test_only_listed_library_files_are_served(browser, libraries):
    (libraries / "secret.js").write_text("no")

    with browser.get("/vendor/preact.js") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    assert browser.get("/vendor/secret.js").status_code == 404
    assert browser.get("/vendor/..%2fpackage.json").status_code == 404


def test_without_the_libraries_the_page_says_what_to_run(source, tmp_path):
    browser = create_app(
        source, DashboardConfig(), node_modules=tmp_path / "node_modules"
    ).test_client()

    answer = browser.get("/")

    assert answer.status_code == 503
    assert f"cd {tmp_path}\nnpm ci --ignore-scripts" in answer.text
    assert browser.get("/api/snapshot").json == SNAPSHOT
