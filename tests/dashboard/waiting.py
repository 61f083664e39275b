"""Waits for the state of a page's own scripts."""

import time

from playwright.sync_api import Page


def wait_for(page: Page, expression: str, timeout_s: float = 15.0) -> None:
    """Poll: the policy of the page forbids Playwright's own wait, which evaluates a string."""
    deadline_s = time.monotonic() + timeout_s
    while not page.evaluate(expression):
        assert time.monotonic() < deadline_s, f"{expression} not within {timeout_s} s"
        page.wait_for_timeout(50)
