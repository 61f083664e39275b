"""The page follows a run: updates, gaps, lost connections, other sessions."""

import random

import pytest
from fake_run import FakeRun
from on_page import SIX, figure, live, rows
from playwright.sync_api import expect
from waiting import wait_for


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


def test_a_lost_connection_is_shown_and_restored(serve, open_page):
    served = serve(*SIX)
    page = live(open_page(served.url))

    served.stop()
    expect(page.get_by_role("alert")).to_contain_text("The connection to the dashboard is lost")
    expect(page.locator("#title")).to_contain_text("Not connected")

    serve("--at", "58", "--port", str(served.port))
    live(page)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(figure(page, "Round")).to_contain_text("6 of 12")


def test_after_every_step_the_page_and_the_server_hold_the_same_snapshot(serve, open_page):
    served = serve("--piped")
    run, chance = FakeRun(12, 4), random.Random(5)  # noqa: S311 -- the same run every time
    served.show(run.at(0.5))
    page = live(open_page(served.url))
    page.evaluate(COUNT_SNAPSHOTS)

    for moment_s in sorted(chance.uniform(1, 119) for _ in range(25)):
        shown = run.at(moment_s)
        outside = chance.sample(range(12), 2)  # some peers leave and come back
        shown["peers"] = [p for index, p in enumerate(shown["peers"]) if index not in outside]
        shown["links"] = chance.sample(shown["links"], 30)
        shown["links"].sort(key=lambda link: (link["source"], link["target"]))
        served.show(shown)
        wait_for(page, f"swarm.store.snapshot.version === {shown['version']}")
        assert page.evaluate("swarm.store.snapshot") == shown

    assert page.evaluate("wholeSnapshots") == 0


COUNT_SNAPSHOTS = """() => { globalThis.wholeSnapshots = 0;
  const { store } = swarm, replace = store.replace.bind(store);
  store.replace = (snapshot) => { wholeSnapshots += 1; replace(snapshot); }; }"""


@pytest.mark.parametrize(
    "harm",
    [
        "swarm.store.snapshot = { ...swarm.store.snapshot, version: 1 }",
        "swarm.store.snapshot = { ...swarm.store.snapshot, peers: [] }",
    ],
    ids=["an update that was missed", "a list that does not fit"],
)
def test_after_a_gap_the_page_requests_a_whole_snapshot(serve, open_page, harm):
    served = serve("--piped")
    run = FakeRun(6)
    served.show(run.at(8.0))
    page = live(open_page(served.url))
    wait_for(page, "swarm.store.snapshot.version === 8001")
    page.evaluate(COUNT_SNAPSHOTS)

    page.evaluate(harm)
    served.show(run.at(8.5))

    wait_for(page, "swarm.store.snapshot.version === 8501")
    assert page.evaluate("swarm.store.snapshot") == run.at(8.5)
    assert page.evaluate("wholeSnapshots") == 1
    served.show(run.at(9.5))  # and it continues from there
    wait_for(page, "swarm.store.snapshot.version === 9501")
    assert page.evaluate("wholeSnapshots") == 1
    expect(page.locator("#title")).to_contain_text("Live")
