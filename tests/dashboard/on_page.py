"""Shared by the tests of the page: arguments of runs, texts of tabs, and locators."""

from typing import Any

from fake_run import FakeRun
from playwright.sync_api import Locator, Page, expect

SIX = ["--at", "46.8"]
HUNDRED = ["--at", "46.8", "--peers", "100", "--cluster-size", "10", "--real"]
TIERS = ["--at", "46.8", "--peers", "100", "--cluster-size", "4", "--real"]
TAB_WORDS = {
    "Training": "Topology",
    "Search": "No hyperparameter study is running",
    "Ensemble": "No ensemble serves predictions",
    "Sessions": "Managed sessions are not part",
    "Log": "Events",
}


def live(page: Page) -> Page:
    expect(page.locator("#title")).to_contain_text("Live")
    return page


def rows(page: Page) -> Locator:
    return page.locator("#peers tbody tr")


def figure(page: Page, name: str) -> Locator:
    heading = page.get_by_role("heading", name=name, exact=True)
    return page.locator(".figure").filter(has=heading)


def drawn(page: Page) -> Any:
    return page.evaluate("swarm.topology.describe()")


def root_name(run: FakeRun, moment_s: float) -> str:
    return next(p["name"] for p in run.at(moment_s)["peers"] if p["role"] == "root")
