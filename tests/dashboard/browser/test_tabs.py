"""The tabs, their addresses, and the content of all tabs except Training."""

import re

from fake_run import FakeRun
from fake_studies import study
from on_page import SIX, TAB_WORDS, live
from playwright.sync_api import expect


def test_tabs_have_addresses_of_their_own(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))

    for tab, words in reversed(TAB_WORDS.items()):
        page.get_by_role("link", name=tab).click()
        expect(page.get_by_role("link", name=tab)).to_have_attribute("aria-current", "page")
        expect(page.locator("main")).to_contain_text(words)
        assert page.url.endswith(f"/{tab.lower()}")
    page.go_back()
    expect(page.locator("main")).to_contain_text(TAB_WORDS["Search"])
    page.reload()
    expect(page.locator("main")).to_contain_text(TAB_WORDS["Search"])


def test_a_tab_that_does_not_exist_is_not_found(serve_shared, chromium):
    page = chromium.new_page()
    answer = page.goto(serve_shared(*SIX).url + "/nothing")

    assert answer.status == 404
    page.close()


def test_the_search_tab_shows_the_progress_of_studies(serve, open_page):
    served = serve("--piped")
    snapshot = FakeRun(6).at(20.0)
    served.show(snapshot | {"studies": [study(12)]})
    page = live(open_page(served.url + "/search"))

    card = page.get_by_role("region", name="Study cnn on digits")
    expect(card).to_contain_text("tpe · maximize accuracy")
    expect(card).to_contain_text("11 of 40")
    expect(card).to_contain_text("learning_rate0.00213")
    expect(card.get_by_role("img")).to_have_accessible_name(re.compile("11 trials done, accuracy"))
    served.show(snapshot | {"studies": [study(40)], "version": 20_002})
    expect(card).to_contain_text("38 of 40")
    expect(card).to_contain_text("finished")
    expect(card).to_contain_text("No peer is working on it now")


def test_events_are_listed_with_their_reason_newest_first(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url + "/log"))

    newest = page.locator(".log li").first
    expect(newest).to_contain_text("0:41")
    expect(newest).to_contain_text("rejected")
    expect(newest).to_contain_text("update norm 41.2 is over 10 times the median")
    expect(page.get_by_role("region", name="Alerts of the whole run").locator("li")).to_have_count(
        3
    )
