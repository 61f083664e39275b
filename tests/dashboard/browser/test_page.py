"""What a person sees, in a real browser."""

import copy

import pytest
from fake_run import FakeRun, gathering, nothing_yet
from playwright.sync_api import Page, expect

from dashboard.assets import NODE_MODULES

WATCH_POLICY = """
globalThis.policyViolations = [];
document.addEventListener("securitypolicyviolation", () => policyViolations.push("stopped"));
"""
AXE = NODE_MODULES / "axe-core" / "axe.min.js"
SIX = ["--at", "46.8"]
HUNDRED = ["--at", "46.8", "--peers", "100", "--cluster-size", "10", "--real"]
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
    expect(figure(page, "Training accuracy")).to_contain_text("58.7 %")
    expect(figure(page, "Training accuracy")).to_contain_text("on batches")
    expect(figure(page, "Peers")).to_contain_text("5 of 6")
    expect(figure(page, "Peers")).to_contain_text("1 lost")
    expect(figure(page, "Elapsed")).to_contain_text("0:4")
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
    expect(lost.locator("td").nth(4)).to_have_text("3")


def test_the_graph_names_root_aggregator_and_lost_peer(still, open_page):
    page = live(open_page(still(*SIX).url))

    labels = page.locator("#labels")
    expect(labels.locator(".root")).to_have_text("peer-6root")
    expect(labels.locator(".aggregator")).to_have_text("peer-3aggregator")
    expect(labels.locator(".peer-label.gone")).to_have_text("peer-5lost")
    expect(labels).to_contain_text("Cluster 2 · 3 peers 1 lost")
    expect(page.locator("#topology-summary")).to_contain_text("2 clusters · 2 tiers · root peer-6")


@pytest.mark.parametrize("arguments", [SIX, HUNDRED, TIERS], ids=["6", "100", "100 in 4 tiers"])
@pytest.mark.parametrize("width", [1440, 420])
def test_leaders_are_raised_and_everything_is_in_its_place(still, open_page, arguments, width):
    page = live(open_page(still(*arguments).url, width=width))
    expect(page.locator("#labels .root")).to_be_attached()

    snapshot = page.evaluate("swarm.store.snapshot")
    places = {peer["id"]: peer for peer in drawn(page)["peers"]}
    boxes = {box["id"]: box for box in drawn(page)["boxes"]}
    room = page.locator("#graph").bounding_box()
    for cluster in snapshot["clusters"]:
        if cluster["tier"] > 1:
            continue
        box, leader = boxes[f"box:{cluster['id']}"], places[cluster["aggregator"]]
        members = [places[member] for member in cluster["members"]]
        assert all(leader["y"] < m["y"] for m in members if m is not leader)
        assert all(abs(m["x"] - box["x"]) < box["width"] / 2 for m in members)
        assert all(abs(m["y"] - box["y"]) < box["height"] / 2 + leader["size"] for m in members)
    for place in places.values():
        assert 0 < place["x"] < room["width"]
        assert place["y"] - place["size"] / 2 + 1 > 0
        assert place["y"] < room["height"]
    points = {(round(place["x"]), round(place["y"])) for place in places.values()}
    assert len(points) == len(places)


def test_a_hundred_peers_are_summed_up_by_cluster(still, open_page):
    page = live(open_page(still(*HUNDRED).url))

    expect(rows(page)).to_have_count(100)
    expect(figure(page, "Peers")).to_contain_text("99 of 100")
    expect(page.locator("#labels .box-label")).to_have_count(10)
    expect(page.locator("#labels")).to_contain_text("C10 · 10 1 lost")
    expect(page.locator("#topology-summary")).to_contain_text("choose a peer to see its own")
    expect(page.locator("#curves-legend")).to_contain_text("100 peers: ")
    assert drawn(page)["links"] == 0


def test_a_chosen_peer_shows_its_links_and_stands_out(still, open_page):
    page = live(open_page(still(*HUNDRED).url))

    button = page.get_by_role("button", name="peer-7", exact=True)
    button.click()

    expect(button).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("swarm.topology.describe().links > 3")
    button.click()
    page.wait_for_function("swarm.topology.describe().links === 0")


def test_what_moves_is_drawn_with_its_direction_and_kind(still, open_page):
    page = live(open_page(still("--at", "48.9").url))

    page.wait_for_function("swarm.topology.describe().flows.length > 0")

    ids = {peer["name"]: peer["id"] for peer in page.evaluate("swarm.store.snapshot.peers")}
    flows = {(f["source"], f["target"], f["kind"]) for f in drawn(page)["flows"]}
    assert (ids["peer-1"], ids["peer-3"], "contribution") in flows
    assert (ids["peer-3"], ids["peer-6"], "aggregate") in flows


def test_curves_of_the_global_model_and_of_each_peer_are_drawn(still, open_page):
    page = live(open_page(still(*SIX).url))

    expect(page.locator("#accuracy-plot canvas")).to_be_visible()
    expect(page.locator("#loss-plot canvas")).to_be_visible()
    expect(page.locator("#curves-legend")).to_contain_text("Round 4")
    expect(page.locator("#curves-legend")).to_contain_text("Global51.4 %loss 1.135")
    expect(page.locator("#curves-legend")).to_contain_text("peer-250.7 %")

    page.locator("#accuracy-plot .u-over").hover(position={"x": 3, "y": 20})
    expect(page.locator("#curves-legend")).to_contain_text("Round 1")


def test_events_are_listed_with_their_reason_newest_first(still, open_page):
    page = live(open_page(still(*SIX).url))

    newest = page.locator("#log li").first
    expect(newest).to_contain_text("0:41")
    expect(newest).to_contain_text("rejected")
    expect(newest).to_contain_text("update norm 41.2 is over 10 times the median")


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

    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.innerText || document.activeElement.type")
        )

    assert {"Theme: auto", "search", "All numbers as JSON"} <= {text.strip() for text in reached}
    assert {"Role", "Test loss", "peer-3"} <= {text.strip() for text in reached}


def test_the_filter_finds_peers_by_state_and_cluster(still, open_page):
    page = live(open_page(still(*HUNDRED).url))
    box = page.get_by_role("searchbox", name="Filter")

    box.fill("lost")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("peer-99")
    box.fill("cluster 3 aggregator")
    expect(rows(page)).to_have_count(1)
    box.fill("no such peer")
    expect(page.locator("#peers")).to_contain_text("No peer matches")
    box.fill("")
    expect(rows(page)).to_have_count(100)


def test_the_page_follows_the_run_without_a_reload(serve, open_page):
    served = serve("--piped")
    page = live(open_page(served.url))
    run = FakeRun(6)

    served.show(run.at(5.0))
    expect(figure(page, "Round")).to_contain_text("1 of 12")
    expect(page.locator("#curves-empty")).to_be_visible()
    served.show(run.at(38.0))
    expect(figure(page, "Round")).to_contain_text("4 of 12")
    expect(figure(page, "Global test accuracy")).to_contain_text("after round 3")
    expect(page.locator("#log li").first).to_contain_text("Round 3 is done")
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

    expect(page.locator("#labels")).to_contain_text("Not in a cluster yet · 3 peers")


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

    page.wait_for_function(f"(before) => {pixels} !== before", arg=before)


@pytest.mark.parametrize("arguments", [SIX, HUNDRED], ids=["6", "100"])
@pytest.mark.parametrize("width", [420, 800, 1440, 2000])
def test_nothing_sticks_out_of_the_page(still, open_page, arguments, width):
    page = live(open_page(still(*arguments).url, width=width))

    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("arguments", [SIX, HUNDRED], ids=["6", "100"])
@pytest.mark.parametrize("width", [1440, 420])
def test_axe_finds_nothing_to_complain_about(still, open_page, arguments, scheme, width):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm ci --ignore-scripts in dashboard/")
    page = live(open_page(still(*arguments).url, width=width, scheme=scheme))
    expect(page.locator("#labels .root")).to_be_attached()

    assert axe(page) == []


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
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm ci --ignore-scripts in dashboard/")
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
    page.wait_for_function("policyViolations.length === 2")

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

    expect(page.locator("#log")).to_contain_text("<b id=planted>bold</b>")
    expect(rows(page).filter(has_text="<img src=x onerror=alert(1)>")).to_have_count(1)
    expect(page.locator("#planted")).to_have_count(0)
