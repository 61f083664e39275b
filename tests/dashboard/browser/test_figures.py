"""The figures at the top of the page, and its texts while there is little to show."""

import copy

import pytest
from fake_run import FakeRun
from fake_source import gathering, nothing_yet
from on_page import SIX, figure, live
from playwright.sync_api import expect


def test_the_figures_show_the_state_of_the_run(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))

    expect(page.locator("#title")).to_contain_text("cnn")
    expect(page.locator("#title")).to_contain_text("synthetic10")
    expect(figure(page, "Round")).to_contain_text("5 of 12")
    expect(figure(page, "Round")).to_contain_text("training")
    expect(figure(page, "Global test accuracy")).to_contain_text("51.4 %")
    expect(figure(page, "Global test accuracy")).to_contain_text("+6.5 points in round 4")
    expect(figure(page, "Global test loss")).to_contain_text("1.135")
    expect(figure(page, "Time left")).to_contain_text("≈ 1:1")
    expect(figure(page, "Time left")).to_contain_text("watched for 0:4")
    who = figure(page, "Present peers")
    expect(who).to_contain_text("5 of 6 peers")
    for words in ("5 live", "0 suspect", "1 lost", "0 quarantined", "1 observer"):
        expect(who).to_contain_text(words)
    expect(page).to_have_title("51.4 % · round 5 of 12 · Swarm")


def test_the_best_model_is_named_when_it_is_not_the_newest(serve, open_page):
    served = serve("--piped")
    snapshot = FakeRun(6).at(46.8)
    worse = {"round": 4, "accuracy": 0.4, "loss": 1.3}
    points = [*snapshot["curves"]["global"][:3], worse]
    served.show(
        snapshot | {"global": worse, "curves": {"global": points, "peers": {}}, "version": 99_999}
    )

    page = live(open_page(served.url))

    best = f"Best: {100 * points[2]['accuracy']:.1f} % (round 3)"
    expect(figure(page, "Global test accuracy")).to_contain_text(best)


def test_a_run_that_was_stopped_is_not_called_finished(serve, open_page):
    served = serve("--piped")
    snapshot = FakeRun(6).at(46.8)
    operator = snapshot["operator"] | {"run_state": "stopped"}
    served.show(snapshot | {"finished": True, "phase": "finished", "operator": operator})

    page = live(open_page(served.url))

    expect(figure(page, "Round")).to_contain_text("Stopped by an operator after 4 rounds")
    assert page.evaluate(
        "document.querySelector('.figure.round progress').value"
    ) == pytest.approx(4 / 12)
    expect(figure(page, "Time left")).to_contain_text("stopped")


def test_a_stand_in_data_set_is_announced_in_a_banner(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX).url))

    banner = page.get_by_text(
        "All numbers are for synthetic10, a generated stand-in, not CIFAR-10."
    )
    expect(banner).to_be_visible()


def test_real_data_need_no_banner(serve_shared, open_page):
    page = live(open_page(serve_shared(*SIX, "--real").url))

    expect(page.locator("#title")).to_contain_text("CIFAR-10")
    expect(page.locator("#notices")).to_have_text("")


@pytest.mark.parametrize(
    ("snapshot", "text"),
    [
        (nothing_yet(), "Looking for the swarm: no peer has answered yet"),
        (gathering(3), "Waiting for peers: 3 of 6 have joined"),
        (gathering(6), "Starting workers: importing Keras and its backend…"),
    ],
)
def test_the_page_says_what_it_is_waiting_for(serve, open_page, snapshot, text):
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
