"""Curves: drawn, compared, by round and by time, saved."""

import csv
import struct

from fake_run import FakeRun
from on_page import HUNDRED, SIX, figure, live
from playwright.sync_api import expect
from waiting import wait_for


def test_curves_of_the_global_model_and_of_each_peer_are_drawn(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))

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


def test_the_legend_compares_and_hides(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))
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


def test_among_many_peers_some_can_be_compared(serve_shared, open_page):
    page = live(open_page(serve_shared(*HUNDRED).url))
    legend = page.locator("#curves-legend")

    legend.get_by_label("Compare a peer").fill("peer-42")

    expect(legend.locator("li").filter(has_text="peer-42")).to_be_visible()


def alphas(page):
    return page.evaluate("swarm.curves.plots[0].series.slice(1).map((s) => s.alpha)")


def shown_series(page):
    return page.evaluate(
        "swarm.curves.plots[0].series.slice(1).filter((s) => s.show).map((s) => s.label)"
    )


def test_curves_can_be_drawn_by_time(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))

    page.get_by_role("button", name="Time", exact=True).click()

    wait_for(page, "swarm.curves.plots[0]?.data[0].at(-1) === 30")  # rounds of 10 s
    assert page.evaluate("swarm.curves.plots[1].data[0]") == [0, 10, 20, 30]


def test_curves_are_exported_as_csv_and_png(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))

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


def test_canvases_follow_the_theme(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url, scheme="light"))
    pixels = "document.querySelector('#accuracy-plot canvas').toDataURL()"
    page.locator("#accuracy-plot canvas").wait_for()
    before = page.evaluate(pixels)

    page.emulate_media(color_scheme="dark")

    wait_for(page, f"{pixels} !== {before!r}")


def test_training_accuracy_is_drawn_until_a_model_is_measured_and_beyond(serve, open_page):
    served = serve("--piped")
    first = FakeRun(6).at(6.0)
    places = [{"at": k / 10, "accuracy": 0.1 + k / 20} for k in range(1, 7)]
    untrained = {"accuracy": 0.1, "loss": 2.3, "round": 0}
    served.show(
        first
        | {"training": {"accuracy": 0.4, "points": places}, "time_left_s": 95, "global": untrained}
    )

    page = live(open_page(served.url))

    legend = page.locator("#curves-legend")
    expect(legend).to_contain_text("Training, running 40.0 %", use_inner_text=True)
    assert shown_series(page)[0] == "Training, running"
    # The axis has room for the whole short run.
    assert page.evaluate("swarm.curves.plots[0].scales.x.max") == 12
    expect(figure(page, "Time left")).to_contain_text("≈ 1:35")
    accuracy = figure(page, "Global test accuracy")
    expect(accuracy).to_contain_text("untrained model: 10.0 %")
    expect(accuracy.locator(".value")).to_have_text("\u2013")

    later = FakeRun(6).at(46.8)
    places += [{"at": 4.6, "accuracy": 0.6}]
    served.show(later | {"training": {"accuracy": 0.6, "points": places}})

    expect(legend).to_contain_text("Training, running 60.0 %", use_inner_text=True)
    expect(legend).to_contain_text("Global 51.4 %", use_inner_text=True)
    expect(page.locator("#peers tbody tr").first).to_contain_text("round 4")


def test_the_axis_of_rounds_fits_the_run(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))
    cases = [[0, 12, False], [3, 12, False], [40, 500, False], [12, 12, True], [5, 12, True]]

    shown = page.evaluate(
        "async (cases) => { const { lastRound } = await import('/static/js/series.js');"
        " return cases.map((one) => lastRound(...one)); }",
        cases,
    )

    assert shown == [12, 12, 80, 12, 5]
