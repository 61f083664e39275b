"""What a person sees, in a real browser."""

import copy
import csv
import re
import struct

import pytest
from fake_run import FakeRun, gathering, nothing_yet
from fake_studies import study
from playwright.sync_api import Page, expect
from waiting import wait_for

from dashboard.assets import NODE_MODULES

WATCH_POLICY = """
globalThis.policyViolations = [];
document.addEventListener("securitypolicyviolation", () => policyViolations.push("stopped"));
"""
AXE = NODE_MODULES / "axe-core" / "axe.min.js"
SIX = ["--at", "46.8"]
HUNDRED = ["--at", "46.8", "--peers", "100", "--cluster-size", "10", "--real"]
TAB_WORDS = {
    "Training": "Topology",
    "Search": "No hyperparameter study is running",
    "Ensemble": "No ensemble answers predictions",
    "Sessions": "Managed sessions are not part",
    "Log": "Events",
}
TIERS = ["--at", "46.8", "--peers", "100", "--cluster-size", "4", "--real"]


def live(page: Page) -> Page:
    expect(page.locator("#title")).to_contain_text("Live")
    return page


def rows(page: Page):
    return page.locator("#peers tbody tr")


def figure(page: Page, name: str):
    heading = page.get_by_role("heading", name=name, exact=True)
    return page.locator(".figure").filter(has=heading)


def drawn(page: Page):
    return page.evaluate("swarm.topology.describe()")


def test_the_run_is_seen_at_a_glance(still, open_page):
    page = live(open_page(still(*SIX).url))

    expect(page.locator("#title")).to_contain_text("cnn")
    expect(page.locator("#title")).to_contain_text("synthetic10")
    expect(figure(page, "Round")).to_contain_text("5 of 12")
    expect(figure(page, "Round")).to_contain_text("training")
    expect(figure(page, "Global test accuracy")).to_contain_text("51.4 %")
    expect(figure(page, "Global test accuracy")).to_contain_text("+6.5 points in round 4")
    expect(figure(page, "Global test loss")).to_contain_text("1.135")
    expect(figure(page, "Time left")).to_contain_text("≈ 1:1")
    expect(figure(page, "Time left")).to_contain_text("watched for 0:4")
    who = figure(page, "Who is here")
    expect(who).to_contain_text("5 of 6 peers")
    for words in ("5 live", "0 suspect", "1 lost", "0 quarantined", "1 observer"):
        expect(who).to_contain_text(words)
    expect(page).to_have_title("51.4 % · round 5 of 12 · Swarm")


def test_a_stand_in_is_announced_loudly(still, open_page):
    page = live(open_page(still(*SIX).url))

    banner = page.get_by_text("Numbers are for synthetic10, a generated stand-in, not CIFAR-10.")
    expect(banner).to_be_visible()


def test_real_data_need_no_banner(still, open_page):
    page = live(open_page(still(*SIX, "--real").url))

    expect(page.locator("#title")).to_contain_text("CIFAR-10")
    expect(page.locator("#notices")).to_have_text("")


def test_the_table_says_who_does_what(still, open_page):
    page = live(open_page(still(*SIX).url))

    expect(rows(page)).to_have_count(6)
    root = rows(page).filter(has_text="peer-6")
    expect(root).to_contain_text("root")
    expect(root).to_contain_text("training")
    expect(root).to_contain_text("15.3 MB")
    lost = rows(page).filter(has_text="peer-5")
    expect(lost).to_contain_text("lost")
    expect(lost.locator("td").nth(5)).to_have_text("3")
    expect(lost).to_contain_text("Utrecht")


def test_the_graph_names_root_aggregator_and_lost_peer(still, open_page):
    page = live(open_page(still(*SIX).url))

    graph = page.locator("#graph")
    expect(graph.locator(".peer.role-root")).to_have_text("peer-6rootUtrecht")
    expect(graph.locator(".peer.role-aggregator")).to_have_text("peer-3aggregatorBern")
    expect(graph.locator(".peer.state-lost")).to_have_text("peer-5lostUtrecht")
    expect(graph.locator(".seat.root")).to_have_text("peer-6root")
    expect(graph.locator(".boxes")).to_contain_text("Cluster 2")
    expect(graph.locator(".boxes")).to_contain_text("1 gone")
    expect(page.locator("#topology-summary")).to_contain_text("2 clusters · 2 tiers · root peer-6")


def test_roles_and_states_differ_in_shape_not_only_in_colour(still, open_page):
    page = live(open_page(still(*SIX).url))

    def sides(role):
        points = page.locator(f"#graph .peer.role-{role} polygon").get_attribute("points")
        return len(points.split())

    assert (sides("root"), sides("aggregator")) == (8, 6)
    expect(page.locator("#graph .peer.role-standby .ready").first).to_be_attached()
    expect(page.locator("#graph .peer.state-lost path.sign.lost")).to_be_attached()


@pytest.mark.parametrize("arguments", [SIX, HUNDRED, TIERS], ids=["6", "100", "100 in 4 tiers"])
@pytest.mark.parametrize("width", [1440, 360])
def test_duties_stand_above_members_and_everything_is_in_its_box(
    still, open_page, arguments, width
):
    page = live(open_page(still(*arguments).url, width=width))
    expect(page.locator("#graph .seat.root")).to_be_attached()

    snapshot = page.evaluate("swarm.store.snapshot")
    picture = drawn(page)
    boxes = {box["id"]: box for box in picture["boxes"]}
    room = page.locator("#graph").bounding_box()
    for cluster in snapshot["clusters"]:
        seat = picture["duties"][cluster["id"]]
        below = [
            picture["peers" if cluster["tier"] == 1 else "duties"][member]
            for member in cluster["members"]
        ]
        assert all(seat["y"] < place["y"] for place in below)
        if cluster["tier"] == 1:
            box = boxes[cluster["id"]]
            assert all(box["x"] < place["x"] < box["x"] + box["width"] for place in below)
            assert all(box["y"] < place["y"] < box["y"] + box["height"] for place in below)
    places = picture["peers"].values()
    for place in places:
        assert picture["radius"] <= place["x"] <= room["width"] - picture["radius"]
        assert picture["radius"] <= place["y"] <= room["height"] - picture["radius"]
    assert len({(place["x"], place["y"]) for place in places}) == len(snapshot["peers"])


def test_nothing_jumps_when_duties_rotate_or_a_peer_is_lost(serve, open_page):
    served = serve("--piped")
    run = FakeRun(6)
    served.show(run.at(8.0))
    page = live(open_page(served.url))
    expect(rows(page)).to_have_count(6)
    before = drawn(page)

    for moment_s in (18.0, 26.0, 38.0):
        served.show(run.at(moment_s))
        wait_for(page, f"swarm.store.snapshot.version === {int(moment_s * 1000) + 1}")
        expect(page.locator("#graph .seat.root .holder")).to_have_text(root_name(run, moment_s))
        assert drawn(page)["peers"] == before["peers"]

    outside = run.at(48.0)
    for cluster in outside["clusters"]:
        cluster["members"] = [member for member in cluster["members"] if member != run.lost]
    served.show(outside)
    wait_for(page, "swarm.store.snapshot.version === 48001")
    assert drawn(page)["peers"] == before["peers"]


def root_name(run, moment_s):
    return next(p["name"] for p in run.at(moment_s)["peers"] if p["role"] == "root")


def test_a_hundred_peers_are_summed_up_by_cluster(still, open_page):
    page = live(open_page(still(*HUNDRED).url))

    expect(rows(page)).to_have_count(100)
    expect(figure(page, "Who is here")).to_contain_text("99 of 100")
    expect(page.locator("#graph .box")).to_have_count(10)
    expect(page.locator("#graph .boxes")).to_contain_text("C10 · 10✕1")
    expect(page.locator("#topology-summary")).to_contain_text("a chosen peer's are shown")
    expect(page.locator("#curves-legend")).to_contain_text("100 peers: ")
    assert drawn(page)["links"] == 0


def test_a_chosen_peer_shows_its_links_and_stands_out(still, open_page):
    page = live(open_page(still(*HUNDRED).url))

    button = page.get_by_role("button", name="peer-7", exact=True)
    button.click()

    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#graph .peer.chosen")).to_have_count(1)
    wait_for(page, "swarm.topology.describe().links > 3")
    page.get_by_role("button", name="Close").click()
    wait_for(page, "swarm.topology.describe().links === 0")
    expect(button).to_be_focused()


def test_connections_and_the_tree_are_layers_of_their_own(still, open_page):
    page = live(open_page(still(*SIX).url))
    links, branches = page.locator("#graph .link"), page.locator("#graph .branch")
    expect(links).to_have_count(10)
    expect(branches).to_have_count(8)

    page.get_by_role("button", name="Connections").click()
    expect(links).to_have_count(0)
    page.get_by_role("button", name="Tree").click()
    expect(branches).to_have_count(0)


def test_what_moves_is_drawn_with_its_direction_size_and_kind(still, open_page):
    page = live(open_page(still("--at", "48.9").url))

    expect(page.locator("#graph .flow.contribution")).to_have_count(3)
    expect(page.locator("#graph .flow.aggregate")).to_have_count(1)
    expect(page.locator("#graph .flow.aggregate")).to_have_text("1.28 MB")
    expect(page.locator("#moving")).to_contain_text("peer-3 → peer-6 aggregate 1.28 MB")
    start, end = page.evaluate(
        """() => { const way = document.querySelector("#graph .flow.aggregate .way");
        return [way.getPointAtLength(0).y, way.getPointAtLength(way.getTotalLength()).y]; }"""
    )
    assert start > end  # an aggregate goes up the tree


def test_curves_of_the_global_model_and_of_each_peer_are_drawn(still, open_page):
    page = live(open_page(still(*SIX).url))

    expect(page.locator("#accuracy-plot canvas")).to_be_visible()
    expect(page.locator("#loss-plot canvas")).to_be_visible()
    legend = page.locator("#curves-legend")
    expect(legend).to_contain_text("Round 4")
    expect(legend.locator("li").first).to_have_text(
        "Global 51.4 % loss 1.135", use_inner_text=True
    )
    expect(legend.locator("li").filter(has_text="peer-2")).to_contain_text("50.7 %")

    page.locator("#accuracy-plot .u-over").hover(position={"x": 3, "y": 20})
    expect(legend).to_contain_text("Round 1")


def test_the_legend_compares_and_hides(still, open_page):
    page = live(open_page(still(*SIX).url))
    legend = page.locator("#curves-legend")
    key = legend.get_by_role("button", name="peer-2 50.7 %")

    key.click()
    expect(key).to_have_attribute("aria-pressed", "true")
    assert alphas(page) == [0.28, 1, 0.28, 0.28, 0.28, 0.28, 1]
    legend.get_by_role("button", name="Hide the others").click()
    assert shown_series(page) == ["peer-2", "Global"]
    legend.get_by_role("button", name="Show all").click()
    assert len(shown_series(page)) == 7
    legend.get_by_role("button", name="Hide peer-4").click()
    assert "peer-4" not in shown_series(page)


def test_among_many_peers_some_can_be_compared(still, open_page):
    page = live(open_page(still(*HUNDRED).url))
    legend = page.locator("#curves-legend")

    legend.get_by_label("Compare a peer").fill("peer-42")

    expect(legend.locator("li").filter(has_text="peer-42")).to_be_visible()


def alphas(page):
    return page.evaluate("swarm.curves.plots[0].series.slice(1).map((s) => s.alpha)")


def shown_series(page):
    return page.evaluate(
        "swarm.curves.plots[0].series.slice(1).filter((s) => s.show).map((s) => s.label)"
    )


def test_curves_go_by_time_as_well(still, open_page):
    page = live(open_page(still(*SIX).url))

    page.get_by_role("button", name="Time", exact=True).click()

    wait_for(page, "swarm.curves.plots[0]?.data[0].at(-1) === 30")  # rounds of 10 s
    assert page.evaluate("swarm.curves.plots[1].data[0]") == [0, 10, 20, 30]


def test_curves_are_exported_as_csv_and_png(still, open_page):
    page = live(open_page(still(*SIX).url))

    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    lines = list(csv.DictReader(saved.value.path().read_text().splitlines()))
    points = page.evaluate("swarm.store.snapshot.curves.global")
    assert [
        (int(line["round"]), float(line["accuracy"]), float(line["loss"]))
        for line in lines
        if line["series"] == "Global"
    ] == [(point["round"], point["accuracy"], point["loss"]) for point in points]
    assert {line["series"] for line in lines} >= {f"peer-{k}" for k in range(1, 7)}

    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG").click()
    image = saved.value.path().read_bytes()
    width, height = struct.unpack(">II", image[16:24])
    assert image.startswith(b"\x89PNG")
    assert width > 300
    assert height > 300


def test_alerts_lead_to_their_peer_and_round(still, open_page):
    page = live(open_page(still(*SIX).url))
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


def test_the_panel_tells_all_about_a_peer(still, open_page):
    page = live(open_page(still(*SIX).url))

    page.locator("#graph .peer").filter(has_text="peer-4").click()

    panel = page.get_by_role("complementary", name="peer-4")
    expect(panel).to_be_focused()
    for words in ("live", "standby", "cluster 2", "Utrecht", "52.4 %", "5.11 MB", "weights"):
        expect(panel).to_contain_text(words)
    expect(panel.get_by_role("img", name="Test accuracy of this peer, 52.4 %")).to_be_visible()
    given = panel.get_by_role("region", name="Contributions by round").locator("tbody tr")
    expect(given).to_have_count(4)
    expect(given.first).to_contain_text("8,333")
    expect(panel).to_contain_text("CIFAR-10: 8,333 examples to train on, 1,000 to test on")
    expect(panel).to_contain_text("/ip4/10.0.0.4/tcp/7001")
    expect(panel.locator(".alert-list")).to_contain_text("update norm")
    expect(panel.locator(".peer-log")).to_contain_text("peer-4 joined")


def test_an_address_opens_the_peer_and_the_round_it_names(still, open_page):
    lost = FakeRun(6).lost

    page = live(open_page(f"{still(*SIX).url}/training?peer={lost}&round=2"))

    expect(page.locator("#peer-panel h2")).to_have_text("peer-5")
    expect(page.locator("#replay")).to_contain_text("Round 2")
    expect(page.locator("#peer-panel")).to_contain_text("live")  # it was lost in round 3


def test_the_slider_brings_everything_back_to_a_round(still, open_page):
    page = live(open_page(still(*SIX).url))
    slider = page.get_by_role("slider", name="Replay round")

    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#replay")).to_contain_text("Round 2, made at")
    expect(figure(page, "Global test accuracy")).to_contain_text("36.6 %")
    expect(figure(page, "Round")).to_contain_text("2 of 12")
    expect(page.locator("#alerts")).to_contain_text("Nothing, so far.")
    expect(page.locator("#graph .seat.root .holder")).to_have_text(root_name(FakeRun(6), 18))
    expect(page.locator("#graph .flow.contribution")).to_have_count(4)
    assert page.evaluate("swarm.curves.plots[0].data[0]") == [1, 2]
    page.keyboard.press("ArrowRight")
    expect(page.locator("#alerts")).to_contain_text("peer-5 is lost")
    expect(rows(page).filter(has_text="peer-5")).to_contain_text("lost")

    page.get_by_role("button", name="Back to the present").click()
    expect(figure(page, "Global test accuracy")).to_contain_text("51.4 %")
    expect(figure(page, "Round")).to_contain_text("5 of 12")


def test_events_are_listed_with_their_reason_newest_first(still, open_page):
    page = live(open_page(still(*SIX).url + "/log"))

    newest = page.locator(".log li").first
    expect(newest).to_contain_text("0:41")
    expect(newest).to_contain_text("rejected")
    expect(newest).to_contain_text("update norm 41.2 is over 10 times the median")
    expect(page.get_by_role("region", name="Alerts of the whole run").locator("li")).to_have_count(
        3
    )


def test_tabs_have_addresses_of_their_own(still, open_page):
    page = live(open_page(still(*SIX).url))

    for tab, words in reversed(TAB_WORDS.items()):
        page.get_by_role("link", name=tab).click()
        expect(page.get_by_role("link", name=tab)).to_have_attribute("aria-current", "page")
        expect(page.locator("main")).to_contain_text(words)
        assert page.url.endswith(f"/{tab.lower()}")
    page.go_back()
    expect(page.locator("main")).to_contain_text(TAB_WORDS["Search"])
    page.reload()
    expect(page.locator("main")).to_contain_text(TAB_WORDS["Search"])


def test_a_tab_that_does_not_exist_is_not_found(still, chromium):
    page = chromium.new_page()
    answer = page.goto(still(*SIX).url + "/nothing")

    assert answer.status == 404
    page.close()


def test_the_search_tab_shows_studies_as_they_go(serve, open_page):
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
    expect(card).to_contain_text("No peer works on it now")


def test_sorting_works_from_the_keyboard(still, open_page):
    page = live(open_page(still(*SIX).url))
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


def test_everything_can_be_reached_with_the_tab_key(still, open_page):
    page = live(open_page(still(*SIX).url))
    reached = set()

    for _ in range(75):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.innerText || document.activeElement.type")
        )

    texts = {text.strip() for text in reached}
    assert {"Theme: auto", "Operator", "Search", "range", "Round", "CSV"} <= texts
    assert {"search", "Role", "Test loss", "peer-3", "All numbers as JSON"} <= texts


def test_the_filter_finds_peers_by_state_and_cluster(still, open_page):
    page = live(open_page(still(*HUNDRED).url))
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


def test_the_page_follows_the_run_without_a_reload(serve, open_page):
    served = serve("--piped")
    page = live(open_page(served.url))
    run = FakeRun(6)

    served.show(run.at(5.0))
    expect(figure(page, "Round")).to_contain_text("1 of 12")
    expect(page.locator("#curves-empty")).to_be_visible()
    served.show(run.at(38.0))
    expect(figure(page, "Round")).to_contain_text("4 of 12")
    expect(figure(page, "Global test accuracy")).to_contain_text("in round 3")
    expect(page.locator("#spoken")).to_contain_text("Round 3 is done")
    expect(page.locator("#curves-empty")).to_be_hidden()
    served.show(run.at(120.0))
    expect(figure(page, "Round")).to_contain_text("Finished after 12 rounds")
    assert page.evaluate("swarm.store.snapshot") == run.at(120.0)


def test_another_session_replaces_everything(serve, open_page):
    served = serve("--piped")
    page = live(open_page(served.url))
    other = FakeRun(4, stand_in=False).at(15.0)
    other["session"]["id"] = "another"
    other["version"] = 99_999

    served.show(FakeRun(6).at(38.0))
    expect(rows(page)).to_have_count(6)
    served.show(other)

    expect(rows(page)).to_have_count(4)
    expect(page.locator("#notices")).to_have_text("")
    assert page.evaluate("swarm.store.snapshot") == other


@pytest.mark.parametrize(
    ("snapshot", "text"),
    [
        (nothing_yet(), "Looking for the swarm: no peer has answered yet"),
        (gathering(3), "Waiting for peers: 3 of 6 have joined"),
        (gathering(6), "Starting workers: importing Keras and its backend…"),
    ],
)
def test_what_is_being_waited_for_is_said(serve, open_page, snapshot, text):
    served = serve("--piped")
    shown = copy.deepcopy(snapshot) | {"version": 50}

    served.show(shown)
    page = live(open_page(served.url))

    expect(figure(page, "Round")).to_contain_text(text)
    expect(page.locator("#curves-empty")).to_contain_text("Nothing to draw yet")


def test_peers_outside_every_cluster_are_shown_beside_them(serve, open_page):
    served = serve("--piped")
    served.show(gathering(3) | {"version": 50})
    page = live(open_page(served.url))

    expect(page.locator("#graph")).to_contain_text("Not in a cluster yet · 3 peers")


def test_a_lost_connection_is_said_and_mended(serve, open_page):
    served = serve(*SIX)
    page = live(open_page(served.url))

    served.stop()
    expect(page.get_by_role("alert")).to_contain_text("The connection to the dashboard is lost")
    expect(page.locator("#title")).to_contain_text("Not connected")

    serve("--at", "58", "--port", str(served.port))
    live(page)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(figure(page, "Round")).to_contain_text("6 of 12")


def test_light_and_dark_follow_the_system_until_the_user_chooses(still, open_page):
    page = live(open_page(still(*SIX).url, scheme="dark"))
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


def test_canvases_follow_the_theme(still, open_page):
    page = live(open_page(still(*SIX).url, scheme="light"))
    pixels = "document.querySelector('#accuracy-plot canvas').toDataURL()"
    page.locator("#accuracy-plot canvas").wait_for()
    before = page.evaluate(pixels)

    page.emulate_media(color_scheme="dark")

    wait_for(page, f"{pixels} !== {before!r}")


@pytest.mark.parametrize("arguments", [SIX, HUNDRED], ids=["6", "100"])
@pytest.mark.parametrize("width", [360, 800, 1440, 2000])
def test_nothing_sticks_out_of_the_page(still, open_page, arguments, width):
    page = live(open_page(still(*arguments).url, width=width))

    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("arguments", [SIX, HUNDRED], ids=["6", "100"])
@pytest.mark.parametrize("width", [1440, 360])
def test_axe_finds_nothing_to_complain_about(still, open_page, arguments, scheme, width):
    page = live(open_page(still(*arguments).url, width=width, scheme=scheme))
    expect(page.locator("#graph .seat.root")).to_be_attached()

    assert axe(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_tab_or_panel(serve, open_page, scheme):
    served = serve("--piped")
    snapshot = FakeRun(6).at(46.8)
    served.show(snapshot | {"studies": [study(24)], "operator": operated(snapshot)})
    page = live(open_page(served.url, scheme=scheme))
    found = {}

    for tab in TAB_WORDS:
        page.get_by_role("link", name=tab).click()
        expect(page.get_by_role("link", name=tab)).to_have_attribute("aria-current", "page")
        found[tab] = axe(page)
    served.show(snapshot | {"version": 50_000})
    page.get_by_role("link", name="Search").click()
    expect(page.locator("main")).to_contain_text(TAB_WORDS["Search"])
    found["no studies"] = axe(page)
    page.get_by_role("link", name="Training").click()
    page.get_by_role("button", name="peer-4", exact=True).first.click()
    expect(page.locator("#peer-panel")).to_be_visible()
    found["panel"] = axe(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Operator").click()
    found["operator"] = axe(page)

    assert {place: faults for place, faults in found.items() if faults} == {}


def operated(snapshot):
    ids = [peer["id"] for peer in snapshot["peers"]]
    command = {
        "id": "a",
        "action": "pause",
        "peer": None,
        "value": None,
        "sequence": 1,
        "unix_s": 1_790_000_000,
        "expires_unix_s": 1_790_000_600,
        "state": "pending",
        "confirmed_by": ids[:2],
        "waiting_for": ids[2:4],
    }
    return snapshot["operator"] | {"enabled": True, "operator_id": "12D3", "commands": [command]}


def axe(page: Page) -> list[str]:
    """Run axe in the page's own context; evaluated code is not subject to the policy."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def test_axe_finds_a_planted_fault(still, open_page):
    page = live(open_page(still(*SIX).url))

    page.evaluate("document.body.append(Object.assign(document.createElement('img'), {src: '/'}))")

    assert any("image-alt" in fault for fault in axe(page))


def test_the_policy_stops_a_planted_inline_style_and_script(still, chromium):
    page = chromium.new_page()
    page.add_init_script(WATCH_POLICY)
    page.goto(still(*SIX).url)
    live(page)

    page.evaluate(
        """() => {
          const style = document.createElement("style");
          style.textContent = "body { display: none }";
          const script = document.createElement("script");
          script.textContent = "globalThis.planted = true";
          document.head.append(style, script);
        }"""
    )
    wait_for(page, "policyViolations.length === 2")

    assert page.evaluate("globalThis.planted === undefined")
    assert page.locator("body").is_visible()
    page.close()


def test_names_from_other_peers_cannot_become_markup(serve, open_page):
    served = serve("--piped")
    hostile = FakeRun(6).at(46.8)
    hostile["peers"][0]["name"] = "<img src=x onerror=alert(1)>"
    hostile["events"][-1]["text"] = "<b id=planted>bold</b>"
    served.show(hostile)

    page = live(open_page(served.url))

    expect(page.locator("#spoken")).to_contain_text("<b id=planted>bold</b>")
    expect(rows(page).filter(has_text="<img src=x onerror=alert(1)>")).to_have_count(1)
    expect(page.locator("#planted")).to_have_count(0)


def test_five_hundred_peers_are_listed_as_far_as_they_are_in_sight(still, open_page):
    page = live(open_page(still("--at", "46.8", "--peers", "500", "--cluster-size", "10").url))
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


@pytest.mark.parametrize(("motion", "moves"), [("no-preference", True), ("reduce", False)])
def test_traffic_is_animated_unless_the_user_wants_none(serve, open_page, motion, moves):
    served = serve("--piped")
    run = FakeRun(6)
    served.show(run.at(47.0))
    page = live(open_page(served.url))
    page.emulate_media(reduced_motion=motion)
    painted = """(() => { const canvas = document.getElementById("motion");
      if (canvas.width === 0) return false;
      const { width, height } = canvas;
      const copy = Object.assign(document.createElement("canvas"), { width, height });
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, width, height);
      return data.some((value) => value > 0); })()"""

    served.show(run.at(48.1))
    expect(page.locator("#graph .flow").first).to_be_attached()
    if moves:
        wait_for(page, painted)
    wait_for(page, f"!{painted}")  # what has arrived leaves nothing behind
