"""A real Chromium, and a page that must stay free of errors and of policy violations."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from dashboard.page.assets import NODE_MODULES, missing_assets

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
WATCH_POLICY = """
globalThis.policyViolations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  policyViolations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""

EXPECTED = (
    "WebSocket connection to",  # of a server that is stopped on purpose
    "net::ERR_NETWORK_CHANGED",  # containers start on this machine; the page loads itself again
)

Open = Callable[..., Page]

expect.set_options(timeout=20_000)  # a busy machine may take long


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("SWARM_CHROMIUM") or shutil.which("chromium")
    path = path or shutil.which("chromium-browser") or shutil.which("google-chrome")
    missing = pytest.fail if os.environ.get("CI") else pytest.skip  # CI installs both
    if path is None:
        missing("no Chromium on this machine; SWARM_CHROMIUM may name one")
    if missing_assets(NODE_MODULES) or not (NODE_MODULES / "axe-core").is_dir():
        missing("the page's libraries are not installed: npm ci --ignore-scripts in dashboard/")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Open]:
    """Open the page; when the test ends, no page may have had an error."""
    complaints: list[str] = []
    pages: list[Page] = []

    def open_(url: str, width: int = 1440, height: int = 900, scheme: str = "light") -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.add_init_script(WATCH_POLICY)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        page.goto(url)
        pages.append(page)
        return page

    yield open_
    violations = [text for page in pages for text in page.evaluate("policyViolations")]
    for page in pages:
        page.context.close()
    errors = [text for text in complaints if not any(words in text for words in EXPECTED)]
    assert (violations, errors) == ([], [])
