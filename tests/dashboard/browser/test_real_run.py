"""The page during a real run: six peers train on digits, a browser watches them."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from benchmarks.swarm_processes import SwarmProcesses

pytestmark = pytest.mark.network

START_S = 240.0  # six TensorFlow imports at once on two busy cores
RUN_S = 120.0


@pytest.fixture
def swarm() -> Iterator[SwarmProcesses]:
    session = ["--dataset", "digits", "--model", "cnn", "--rounds", "6", "--min-peers", "6"]
    session += ["--local-epochs", "4", "--batch-size", "16"]
    with SwarmProcesses(6, session) as processes:
        yield processes


@pytest.fixture
def address(swarm: SwarmProcesses) -> Iterator[str]:
    command = [sys.executable, "-m", "dashboard", "--port", "0"]
    command += ["--bootstrap", f"127.0.0.1:{swarm.ports[0]}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("Dashboard: ").strip()
        process.terminate()
        assert process.wait(10) == 0


def wait_for(page: Page, expression: str, timeout_s: float) -> None:
    """Poll from here: the page's policy forbids Playwright's own way, which evaluates a string."""
    deadline_s = time.monotonic() + timeout_s
    while not page.evaluate(expression):
        assert time.monotonic() < deadline_s, f"{expression} not within {timeout_s} s"
        page.wait_for_timeout(100)


def test_a_person_sees_who_trains_who_aggregates_and_how_good_the_model_gets(
    address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(address)

    rows = page.locator("#peers tbody tr")
    expect(rows).to_have_count(6, timeout=1000 * START_S)
    wait_for(page, "swarm.store.snapshot?.round >= 2", START_S)
    expect(page.locator("body")).to_contain_text("digits")
    expect(page.locator("#labels .root")).to_have_count(1)
    wait_for(page, "swarm.topology.describe().flows.length > 0", RUN_S)

    wait_for(page, "swarm.store.snapshot.global.round === 6", RUN_S)
    expect(page.locator("body")).to_contain_text(re.compile("finished", re.IGNORECASE))
    seen = page.evaluate("swarm.store.snapshot")
    assert [point["round"] for point in seen["curves"]["global"]] == [0, 1, 2, 3, 4, 5, 6]
    assert seen["global"]["accuracy"] > 0.6
    assert len(seen["curves"]["peers"]) == 6
    for name in (f"peer-{k}" for k in range(1, 7)):
        expect(page.locator("#peers")).to_contain_text(name)
