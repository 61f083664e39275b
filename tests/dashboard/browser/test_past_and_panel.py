"""The panel of a peer, and past rounds: links of alerts, addresses, and the slider."""

from fake_run import FakeRun
from on_page import SIX, figure, live, root_name, rows
from playwright.sync_api import expect


def test_alerts_link_to_their_peer_and_round(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))
    newest = page.locator("#alerts li").first
    expect(newest).to_contain_text("update norm 41.2 is over 10 times the median")

    lost = page.locator("#alerts li").filter(has_text="peer-5 is lost")
    lost.get_by_role("button", name="peer-5").click()
    expect(page.locator("#peer-panel")).to_contain_text("peer-5")
    assert "peer=12D3KooW" in page.url
    page.keyboard.press("Escape")
    expect(page.locator("#peer-panel")).to_be_hidden()

    lost.get_by_role("button", name="Round 3").click()
    expect(page.locator("#replay")).to_contain_text("Round 3, made at")
    assert page.url.endswith("?round=3")


def test_the_panel_shows_everything_about_a_peer(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))

    page.locator("#graph .peer").filter(has_text="peer-4").click()

    panel = page.get_by_role("complementary", name="peer-4")
    expect(panel).to_be_focused()
    for words in ("live", "standby", "cluster 2", "Utrecht", "52.4 %", "5.11 MB", "weights"):
        expect(panel).to_contain_text(words)
    expect(panel.get_by_role("img", name="Test accuracy of this peer, 52.4 %")).to_be_visible()
    given = panel.get_by_role("region", name="Contributions by round").locator("tbody tr")
    expect(given).to_have_count(4)
    expect(given.first).to_contain_text("8,333")
    expect(panel).to_contain_text("CIFAR-10: 8,333 training examples, 1,000 test examples")
    expect(panel).to_contain_text("/ip4/10.0.0.4/tcp/7001")
    expect(panel.locator(".alert-list")).to_contain_text("update norm")
    expect(panel.locator(".peer-log")).to_contain_text("peer-4 joined")


def test_an_address_opens_the_peer_and_the_round_it_names(serve_shared, open_page):
    lost = FakeRun(6).lost

    page = live(open_page(f"{serve_shared(*SIX).url}/training?peer={lost}&round=2"))

    expect(page.locator("#peer-panel h2")).to_have_text("peer-5")
    expect(page.locator("#replay")).to_contain_text("Round 2")
    expect(page.locator("#peer-panel")).to_contain_text("live")  # it was lost in round 3


def test_the_slider_shows_everything_as_it_was_in_a_round(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))
    slider = page.get_by_role("slider", name="Replay round")

    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#replay")).to_contain_text("Round 2, made at")
    expect(figure(page, "Global test accuracy")).to_contain_text("36.6 %")
    expect(figure(page, "Round")).to_contain_text("2 of 12")
    expect(page.locator("#alerts")).to_contain_text("Nothing has gone wrong so far.")
    expect(page.locator("#graph .seat.root .holder")).to_have_text(root_name(FakeRun(6), 18))
    expect(page.locator("#graph .flow.contribution")).to_have_count(4)
    assert page.evaluate("swarm.curves.plots[0].data[0]") == [1, 2]
    page.keyboard.press("ArrowRight")
    expect(page.locator("#alerts")).to_contain_text("peer-5 is lost")
    expect(rows(page).filter(has_text="peer-5")).to_contain_text("lost")

    page.get_by_role("button", name="Back to the present").click()
    expect(figure(page, "Global test accuracy")).to_contain_text("51.4 %")
    expect(figure(page, "Round")).to_contain_text("5 of 12")
