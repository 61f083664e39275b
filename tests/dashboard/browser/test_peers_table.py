"""The table of peers, the accessible counterpart of the graph."""

from on_page import HUNDRED, SIX, live, rows
from playwright.sync_api import expect


def test_the_table_shows_what_each_peer_does(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))

    expect(rows(page)).to_have_count(6)
    root = rows(page).filter(has_text="peer-6")
    expect(root).to_contain_text("root")
    expect(root).to_contain_text("training")
    expect(root).to_contain_text("15.3 MB")
    lost = rows(page).filter(has_text="peer-5")
    expect(lost).to_contain_text("lost")
    expect(lost.locator("td").nth(5)).to_have_text("3")
    expect(lost).to_contain_text("Utrecht")


def test_sorting_works_from_the_keyboard(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))
    header = page.get_by_role("columnheader", name="Test acc.")
    button = header.get_by_role("button")

    button.focus()
    page.keyboard.press("Enter")
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(rows(page).first).to_contain_text("49.8 %")
    page.keyboard.press("Space")
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(rows(page).first).to_contain_text("53.6 %")
    expect(button).to_be_focused()


def test_the_filter_finds_peers_by_state_and_cluster(serve_shared, open_page):
    page = live(open_page(serve_shared(*HUNDRED).url))
    box = page.get_by_role("searchbox", name="Filter")

    box.fill("lost")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("peer-99")
    expect(page.locator("#graph .peer:not(.dim)")).to_have_count(1)
    box.fill("cluster 3 aggregator")
    expect(rows(page)).to_have_count(1)
    box.fill("bern standby")
    expect(rows(page)).to_have_count(5)
    box.fill("no such peer")
    expect(page.locator("#peers")).to_contain_text("No peer matches")
    box.fill("")
    expect(rows(page)).to_have_count(100)
    page.get_by_role("button", name="1 lost").click()
    expect(box).to_have_value("lost")
    expect(rows(page)).to_have_count(1)


def test_of_five_hundred_peers_only_the_rows_near_the_visible_part_exist(serve_shared, open_page):
    page = live(
        open_page(serve_shared("--at", "46.8", "--peers", "500", "--cluster-size", "10").url)
    )
    table = page.get_by_role("region", name="Peers table")

    expect(page.locator("#graph .peer")).to_have_count(500)
    expect(page.locator("#peers [role=status]")).to_have_text("500 peers")
    expect(table.get_by_role("table")).to_have_attribute("aria-rowcount", "501")
    assert table.locator("tbody tr").count() < 100
    expect(table.get_by_role("button", name="peer-500", exact=True)).to_have_count(0)
    table.scroll_into_view_if_needed()
    table.evaluate("(element) => element.scrollTo(0, element.scrollHeight)")
    expect(table.get_by_role("button", name="peer-500", exact=True)).to_be_in_viewport()
    page.get_by_role("searchbox", name="Filter").fill("peer-499")
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table).to_contain_text("lost")
