"""The Search tab during a real study, in a swarm that trains nothing together."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.harness.search_processes import SearchProcesses

pytestmark = pytest.mark.network

SOON_MS = 120_000
STUDY = {
    "name": "flowers",
    "dataset": "iris",
    "num_trials": 20,
    "models": {"logreg": {"C": {"float": [0.01, 100.0], "log": True}}},
}


def test_the_page_shows_the_study_without_waiting_for_a_session(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    command = [sys.executable, "-m", "dashboard", "--port", "0"]
    with (
        SearchProcesses(tmp_path) as swarm,
        subprocess.Popen(
            [*command, "--bootstrap", swarm.address], stdout=subprocess.PIPE, text=True
        ) as dashboard,
    ):
        try:
            swarm.start("worker")
            assert dashboard.stdout is not None
            page = open_page(dashboard.stdout.readline().strip().removeprefix("Dashboard: "))
            expect(page.locator("#title")).to_contain_text("No session yet")

            run = swarm.start("run", str(swarm.write_study(STUDY)))

            page.locator("#title").get_by_role("link", name="1 study").click(timeout=SOON_MS)
            card = page.get_by_role("region", name="Study flowers")
            expect(card).to_contain_text("20 of 20", timeout=SOON_MS)
            expect(card).to_contain_text("finished", timeout=SOON_MS)
            assert run.ledger is not None
            best = run.ledger.best
            assert best is not None
            shown = page.evaluate("swarm.store.snapshot.studies[0].best")
            assert shown["value"] == best.value
            expect(card).to_contain_text(
                re.compile(rf"Best accuracy0\.\d+ trial {shown['number']}")
            )
            page.get_by_role("link", name="Training").click()
            expect(page.locator(".figure.round")).to_contain_text("see the Search tab")
            assert page.evaluate("policyViolations") == []
            page.goto("about:blank")  # else it reports an error when its server ends first
        finally:
            dashboard.terminate()
            dashboard.communicate(timeout=20)
