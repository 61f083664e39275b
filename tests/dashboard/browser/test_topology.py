"""The graph: duties, connections and flows."""

import pytest
from fake_run import FakeRun
from on_page import HUNDRED, SIX, TIERS, drawn, figure, live, root_name, rows
from playwright.sync_api import expect
from waiting import wait_for


def test_the_graph_names_root_aggregator_and_lost_peer(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))

    graph = page.locator("#graph")
    expect(graph.locator(".peer.role-root")).to_have_text("peer-6rootUtrecht")
    expect(graph.locator(".peer.role-aggregator")).to_have_text("peer-3aggregatorBern")
    expect(graph.locator(".peer.state-lost")).to_have_text("peer-5lostUtrecht")
    expect(graph.locator(".seat.root")).to_have_text("peer-6root")
    expect(graph.locator(".titles")).to_contain_text("Cluster 2")
    expect(graph.locator(".titles")).to_contain_text("1 gone")
    expect(page.locator("#topology-summary")).to_contain_text("2 clusters · 2 tiers · root peer-6")


def test_roles_and_states_differ_in_shape_not_only_in_colour(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))

    def sides(role):
        points = page.locator(f"#graph .peer.role-{role} polygon").get_attribute("points")
        return len(points.split())

    assert (sides("root"), sides("aggregator")) == (8, 6)
    expect(page.locator("#graph .peer.role-standby .ready").first).to_be_attached()
    expect(page.locator("#graph .peer.state-lost path.sign.lost")).to_be_attached()


@pytest.mark.parametrize("arguments", [SIX, HUNDRED, TIERS], ids=["6", "100", "100 in 4 tiers"])
@pytest.mark.parametrize("width", [1440, 360])
def test_duties_are_above_members_and_everything_is_in_its_box(
    serve_shared, open_page, arguments, width
):
    page = live(open_page(serve_shared(*arguments).url, width=width))
    expect(page.locator("#graph .seat.root")).to_be_attached()

    snapshot = page.evaluate("swarm.store.snapshot")
    make_snapshot = drawn(page)
    boxes = {box["id"]: box for box in make_snapshot["boxes"]}
    room = page.locator("#graph").bounding_box()
    for cluster in snapshot["clusters"]:
        seat = make_snapshot["duties"][cluster["id"]]
        below = [
            make_snapshot["peers" if cluster["tier"] == 1 else "duties"][member]
            for member in cluster["members"]
        ]
        assert all(seat["y"] < place["y"] for place in below)
        if cluster["tier"] == 1:
            box = boxes[cluster["id"]]
            assert all(box["x"] < place["x"] < box["x"] + box["width"] for place in below)
            assert all(box["y"] < place["y"] < box["y"] + box["height"] for place in below)
    places = make_snapshot["peers"].values()
    for place in places:
        assert make_snapshot["radius"] <= place["x"] <= room["width"] - make_snapshot["radius"]
        assert make_snapshot["radius"] <= place["y"] <= room["height"] - make_snapshot["radius"]
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


def test_a_hundred_peers_are_summarised_by_cluster(serve_shared, open_page):
    page = live(open_page(serve_shared(*HUNDRED).url))

    expect(rows(page)).to_have_count(100)
    expect(figure(page, "Present peers")).to_contain_text("99 of 100")
    expect(page.locator("#graph .box")).to_have_count(10)
    expect(page.locator("#graph .titles")).to_contain_text("C10 · 10✕1")
    expect(page.locator("#topology-summary")).to_contain_text("select a peer to see its links")
    expect(page.locator("#curves-legend")).to_contain_text("100 peers: ")
    assert drawn(page)["links"] == 0


def test_a_selected_peer_shows_its_links_and_is_highlighted(serve_shared, open_page):
    page = live(open_page(serve_shared(*HUNDRED).url))

    button = page.get_by_role("button", name="peer-7", exact=True)
    button.click()

    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#graph .peer.chosen")).to_have_count(1)
    wait_for(page, "swarm.topology.describe().links > 3")
    page.get_by_role("button", name="Close").click()
    wait_for(page, "swarm.topology.describe().links === 0")
    expect(button).to_be_focused()


def test_connections_and_the_tree_can_be_hidden_separately(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))
    links, branches = page.locator("#graph .link"), page.locator("#graph .branch")
    expect(links).to_have_count(10)
    expect(branches).to_have_count(8)

    page.get_by_role("button", name="Connections").click()
    expect(links).to_have_count(0)
    page.get_by_role("button", name="Tree").click()
    expect(branches).to_have_count(0)


def test_flows_are_drawn_with_their_direction_size_and_kind(serve_shared, open_page):
    page = live(open_page(serve_shared("--at", "48.9").url))

    expect(page.locator("#graph .flow.contribution")).to_have_count(3)
    expect(page.locator("#graph .flow.aggregate")).to_have_count(1)
    expect(page.locator("#graph .flow.aggregate")).to_have_text("1.28 MB")
    expect(page.locator("#moving")).to_contain_text("peer-3 → peer-6 aggregate 1.28 MB")
    start, end = page.evaluate(
        """() => { const way = document.querySelector("#graph .flow.aggregate .way");
        return [way.getPointAtLength(0).y, way.getPointAtLength(way.getTotalLength()).y]; }"""
    )
    assert start > end  # an aggregate goes up the tree


@pytest.mark.parametrize(("motion", "moves"), [("no-preference", True), ("reduce", False)])
def test_traffic_is_animated_unless_the_user_wants_none(serve, open_page, motion, moves):
    served = serve("--piped")
    run = FakeRun(6)
    served.show(run.at(47.0))
    page = live(open_page(served.url))
    page.emulate_media(reduced_motion=motion)
    shown = """(() => { const canvas = document.getElementById("motion");
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
        wait_for(page, shown)
    wait_for(page, f"!{shown}")  # nothing is left after the arrival
