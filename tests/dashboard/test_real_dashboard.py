"""A real dashboard of a real swarm, used over HTTP: commands, and a restart during the run."""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from functools import partial
from http.cookiejar import CookieJar

import pytest

from swarm.network.identity import load_or_create_identity
from tests.harness.swarm_processes import SwarmProcesses

pytestmark = [pytest.mark.slow, pytest.mark.network]

START_S = 240.0  # TensorFlow imports on two busy cores
SOON_S = 60.0


class Dashboard:
    """A dashboard in its own process, with the cookies of one browser."""

    def __init__(self, port, *arguments):
        command = [sys.executable, "-m", "dashboard", "--port", "0", *arguments]
        command += ["--bootstrap", f"127.0.0.1:{port}"]
        self.pause = threading.Event()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.line().removeprefix("Dashboard: ")
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def line(self):
        return self.process.stdout.readline().strip()

    def ask(self, path, body=None, **headers):
        data = json.dumps(body).encode() if body is not None else None
        headers |= {"Content-Type": "application/json"}
        asked = urllib.request.Request(self.url + path, data, headers)  # noqa: S310 (our own)
        with self.opener.open(asked, timeout=20) as answer:
            return json.loads(answer.read())

    def wait(self, condition, timeout_s):
        deadline_s = time.monotonic() + timeout_s
        while not condition(seen := self.ask("/api/v1/snapshot")):
            assert time.monotonic() < deadline_s, seen
            self.pause.wait(0.2)
        return seen


@contextmanager
def dashboard(*arguments):
    running = Dashboard(*arguments)
    try:
        yield running
    finally:
        running.process.terminate()
        running.process.communicate(timeout=20)


def is_confirmed(seen, action):
    commands = seen["operator"]["commands"]  # a command is shown shortly after it was accepted
    return any(c["action"] == action and c["state"] == "confirmed" for c in commands)


def test_an_operator_pauses_and_stops_a_run_that_a_restarted_dashboard_shows_in_full(tmp_path):
    key = tmp_path / "operator"
    operator = load_or_create_identity(key).peer_id
    session = ["--dataset", "digits", "--model", "mlp", "--rounds", "60", "--min-peers", "3"]

    with SwarmProcesses(3, session, ["--operator", operator]) as swarm:
        with dashboard(swarm.ports[0], "--operator-key", str(key)) as first:
            assert first.line() == f"Operator: start peers with --operator {operator}"
            token = first.line().removeprefix("Token: ")
            first.wait(lambda seen: seen["round"] >= 2, START_S)
            csrf = first.ask("/api/v1/operator/session", {"token": token})["csrf"]
            for action in ("pause", "stop"):
                body = {"action": action}
                given = first.ask("/api/v1/operator/commands", body, **{"X-CSRF-Token": csrf})
                assert given["state"] == "pending"
                seen = first.wait(partial(is_confirmed, action=action), SOON_S)
            assert seen["operator"]["run_state"] == "stopped"
        swarm.kill(0)

        with dashboard(swarm.ports[2]) as second:
            seen = second.wait(
                lambda s: s["history"]["complete"] and s["global"]["round"] is not None, SOON_S
            )
            second.wait(
                lambda s: {"paused", "stopped"} <= {a["kind"] for a in s["alerts"]}, SOON_S
            )
            rounds = second.ask("/api/v1/rounds")["rounds"]

    assert seen["operator"]["enabled"] is False
    assert [r["round"] for r in rounds] == list(range(seen["head"]["round"] + 1))
    assert len(rounds[0]["cohort"]) == 3
    assert all(r["unix_s"] for r in rounds)
