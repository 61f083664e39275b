"""Shared by the tests of the dashboard: an invented run, and a server that shows it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))  # for fake_run, which tests and servers share


class ServedRun:
    """A dashboard in its own process; its source shows what `show` writes to it."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER / "serve_fake.py"), "--port", "0", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=FOLDER.parent.parent,
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        if not self.line:
            raise AssertionError(f"no dashboard came up: {self.stop()[1]}")
        self.url = self.line.removeprefix("Dashboard: ").strip()
        self.port = int(self.url.rpartition(":")[2])

    def show(self, snapshot: dict[str, object]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(snapshot) + "\n")
        self.process.stdin.flush()

    def stop(self) -> tuple[str, str]:
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        return self.process.communicate(timeout=10)


@pytest.fixture(scope="session")
def serve_shared() -> Iterator["Serve"]:
    """Start dashboards that show one moment, shared by all tests that only view them."""
    served: dict[tuple[str, ...], ServedRun] = {}

    def start(*arguments: str) -> ServedRun:
        if arguments not in served:
            served[arguments] = ServedRun(*arguments)
        return served[arguments]

    yield start
    for one in served.values():
        one.stop()


Serve = Callable[..., ServedRun]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start dashboards that are stopped when the test ends."""
    started: list[ServedRun] = []

    def start(*arguments: str) -> ServedRun:
        started.append(ServedRun(*arguments))
        return started[-1]

    yield start
    for served in started:
        served.stop()
