"""Accessibility: axe, the keyboard, narrow screens, light and dark."""

import pytest
from fake_ensembles import classification, ensemble
from fake_run import FakeRun, operated
from fake_studies import study
from on_page import HUNDRED, SIX, TAB_WORDS, live
from playwright.sync_api import Page, expect

from dashboard.page.assets import NODE_MODULES

AXE = NODE_MODULES / "axe-core" / "axe.min.js"


def test_everything_can_be_reached_with_the_tab_key(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))
    reached = set()

    for _ in range(75):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.innerText || document.activeElement.type")
        )

    texts = {text.strip() for text in reached}
    assert {"Theme: auto", "Operator", "Search", "range", "Round", "CSV"} <= texts
    assert {"search", "Role", "Test loss", "peer-3", "All numbers as JSON"} <= texts


def test_light_and_dark_follow_the_system_until_the_user_chooses(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url, scheme="dark"))
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)

    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").wait_for()
    light = page.evaluate(background)
    page.reload()
    live(page)

    assert (dark, light) == ("rgb(12, 17, 23)", "rgb(243, 245, 249)")
    assert page.evaluate(background) == light
    page.get_by_role("button", name="Theme: light").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(background) == dark


@pytest.mark.parametrize("arguments", [SIX, HUNDRED], ids=["6", "100"])
@pytest.mark.parametrize("width", [360, 800, 1440, 2000])
def test_nothing_overflows_the_page(serve_shared, open_page, arguments, width):
    page = live(open_page(serve_shared(*arguments).url, width=width))

    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("arguments", [SIX, HUNDRED], ids=["6", "100"])
@pytest.mark.parametrize("width", [1440, 360])
def test_axe_finds_no_violations(serve_shared, open_page, arguments, scheme, width):
    page = live(open_page(serve_shared(*arguments).url, width=width, scheme=scheme))
    expect(page.locator("#graph .seat.root")).to_be_attached()

    assert axe(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violations_on_any_tab_or_panel(serve, open_page, scheme):
    served = serve("--piped")
    snapshot = FakeRun(6).at(46.8)
    operator = operated(snapshot, "pending") | {"operator_id": "12D3"}
    others = {"studies": [study(24)], "ensembles": [ensemble(), classification()]}
    served.show(snapshot | others | {"operator": operator})
    page = live(open_page(served.url, scheme=scheme))
    found = {}

    for tab in TAB_WORDS:
        page.get_by_role("link", name=tab).click()
        expect(page.get_by_role("link", name=tab)).to_have_attribute("aria-current", "page")
        if tab == "Ensemble":
            ask_both(page)
        found[tab] = axe(page)
    served.show(snapshot | {"version": 50_000})
    page.get_by_role("link", name="Search").click()
    expect(page.locator("main")).to_contain_text(TAB_WORDS["Search"])
    found["no studies"] = axe(page)
    page.get_by_role("link", name="Ensemble").click()
    expect(page.locator("main")).to_contain_text(TAB_WORDS["Ensemble"])
    found["no ensembles"] = axe(page)
    page.get_by_role("link", name="Training").click()
    page.get_by_role("button", name="peer-4", exact=True).first.click()
    expect(page.locator("#peer-panel")).to_be_visible()
    found["panel"] = axe(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Operator").click()
    found["operator"] = axe(page)

    assert {place: faults for place, faults in found.items() if faults} == {}


def ask_both(page: Page) -> None:
    """Have both kinds of answers drawn, and wait for them."""
    page.get_by_label("LotArea").press("Enter")
    page.get_by_label("One example").fill("1 2 3 4")
    page.get_by_role("form", name="Ask tumours").get_by_role("button").click()
    expect(page.locator(".answer .combined")).to_have_count(2)


def axe(page: Page) -> list[str]:
    """Run axe in the page's own context; evaluated code is not subject to the policy."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def test_axe_finds_a_planted_violation(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))

    page.evaluate("document.body.append(Object.assign(document.createElement('img'), {src: '/'}))")

    assert any("image-alt" in fault for fault in axe(page))
