"""The page during a real run: six peers train on digits, and browsers watch them.

One run serves all tests here, in their order; the later ones hurt it.
"""

import csv
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from waiting import wait_for

from benchmarks.swarm_processes import SwarmProcesses
from swarm.network.identity import load_or_create_identity

pytestmark = pytest.mark.network

START_S = 240.0  # six TensorFlow imports at once on two busy cores
RUN_S = 120.0
LOST_SHOWN_WITHIN_S = 6.0
KILLED = 5


@dataclass
class WatchedRun:
    """A swarm, and the dashboard that watches it."""

    swarm: SwarmProcesses
    operator_key: Path
    dashboards: list[subprocess.Popen[str]] = field(default_factory=list)
    address: str = ""
    token: str = ""
    ids: list[str] = field(default_factory=list)

    def watch(self, bootstrap: int) -> None:
        """Start a dashboard that joins through this peer."""
        command = [sys.executable, "-m", "dashboard", "--port", "0"]
        command += ["--bootstrap", f"127.0.0.1:{self.swarm.ports[bootstrap]}"]
        command += ["--operator-key", str(self.operator_key)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.dashboards.append(process)
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(3)]
        self.address = lines[0].removeprefix("Dashboard: ")
        self.token = lines[2].removeprefix("Token: ")

    def stop(self) -> None:
        for process in self.dashboards:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=15)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedRun]:
    key = tmp_path_factory.mktemp("operator") / "key"
    operator = load_or_create_identity(key).peer_id
    session = ["--dataset", "digits", "--model", "cnn", "--rounds", "500", "--min-peers", "6"]
    session += ["--local-epochs", "4", "--batch-size", "16"]
    with SwarmProcesses(6, session, ["--operator", operator]) as processes:
        watched = WatchedRun(processes, key)
        try:
            watched.watch(0)
            yield watched
        finally:
            watched.stop()


Open = Callable[..., Page]


def peers(page: Page, name: str):
    return page.locator("#peers tbody tr").filter(has_text=name)


def test_one_look_answers_how_it_goes_and_who_is_here(run: WatchedRun, open_page: Open) -> None:
    page = open_page(run.address)

    expect(page.locator("#peers tbody tr")).to_have_count(6, timeout=1000 * START_S)
    wait_for(page, "swarm.store.snapshot?.global.round >= 2", START_S)

    seen = page.evaluate("swarm.store.snapshot.peers")
    run.ids = [peer["id"] for peer in sorted(seen, key=lambda peer: peer["name"])]
    expect(page.locator("#title")).to_contain_text("digits")
    expect(page.locator(".figure.accuracy")).to_contain_text(re.compile(r"\d+\.\d %"))
    expect(page.locator(".figure.accuracy")).to_contain_text(re.compile(r"points in round \d"))
    trained = re.compile(r"Training accuracy \d+\.\d %")
    expect(page.locator(".figure.accuracy")).to_contain_text(trained)
    expect(page.locator(".figure.loss .value")).to_have_text(re.compile(r"\d\.\d{3}"))
    expect(page.locator(".figure.round")).to_contain_text("of 500")
    expect(page.locator(".figure.left .value")).to_have_text(re.compile(r"≈ \d+:\d\d"))
    expect(page.locator(".figure.who")).to_contain_text("6 live")
    expect(page.locator(".figure.who")).to_contain_text("1 observer")


def test_the_topology_shows_duties_links_and_what_moves(run: WatchedRun, open_page: Open) -> None:
    page = open_page(run.address)
    expect(page.locator("#graph .seat")).to_have_count(3)
    expect(page.locator("#graph .seat.root")).to_have_count(1)
    wait_for(page, "swarm.topology.describe().links === 15", RUN_S)
    before = page.evaluate("swarm.topology.describe().peers")
    round_now = page.evaluate("swarm.store.snapshot.round")

    for kind in ("contribution", "aggregate", "head"):
        wait_for(page, f"swarm.topology.describe().flows.some((f) => f.includes('{kind}'))", RUN_S)
    expect(page.locator("#moving")).to_contain_text(re.compile(r"peer-\d → peer-\d .* [kM]B"))
    wait_for(page, f"swarm.store.snapshot.round >= {round_now + 2}", RUN_S)
    assert page.evaluate("swarm.topology.describe().peers") == before


def test_a_peer_tells_of_itself(run: WatchedRun, open_page: Open) -> None:
    page = open_page(run.address)

    page.locator("#graph .peer").filter(has_text="peer-3").click()

    panel = page.get_by_role("complementary", name="peer-3")
    expect(panel.get_by_role("img", name=re.compile("Test accuracy of this peer"))).to_be_visible()
    given = panel.get_by_role("region", name="Contributions by round").locator("tbody tr")
    expect(given.first).to_contain_text(re.compile(r"\d\.\d s"), timeout=1000 * RUN_S)
    expect(panel).to_contain_text(f"/tcp/{run.swarm.ports[2]}", timeout=1000 * RUN_S)
    expect(panel).to_contain_text(re.compile(r"[1-9]\d* examples to train on"))
    expect(panel.locator("dd").nth(4)).to_have_text(re.compile(r"[kM]B weights"))


def test_curves_are_those_of_the_run_by_round_and_by_time(
    run: WatchedRun, open_page: Open
) -> None:
    page = open_page(run.address)
    expect(page.locator("#curves-legend li")).to_have_count(7)

    page.get_by_role("button", name="Time", exact=True).click()
    wait_for(page, "swarm.curves.plots[0]?.data[0].length >= 3", RUN_S)
    times = page.evaluate("swarm.curves.plots[0].data[0]")
    assert times == sorted(times)
    assert times[-1] > times[0]

    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    lines = list(csv.DictReader(saved.value.path().read_text().splitlines()))
    assert {line["series"] for line in lines} == {*(f"peer-{k}" for k in range(1, 7)), "Global"}


def test_an_operator_pauses_and_the_swarm_says_when_it_has(
    run: WatchedRun, open_page: Open
) -> None:
    page = open_page(run.address)
    expect(page.locator("#title")).to_contain_text("Live")
    page.get_by_role("button", name="Operator", exact=True).click()
    sheet = page.get_by_role("dialog", name="Operator")
    sheet.get_by_label("Token").fill(run.token)
    sheet.get_by_role("button", name="Sign in").click()

    sheet.get_by_role("button", name="Pause").click()
    confirmed = sheet.locator(".command.confirmed")
    expect(confirmed).to_contain_text("by 6 peers", timeout=1000 * RUN_S)
    expect(sheet).to_contain_text("The peers report paused")
    expect(page.locator(".figure.round")).to_contain_text("Paused by an operator")

    sheet.get_by_role("button", name="Resume").click()
    expect(confirmed).to_have_count(2, timeout=1000 * RUN_S)
    expect(sheet).to_contain_text("The peers report running")
    round_now = page.evaluate("swarm.store.snapshot.round")
    wait_for(page, f"swarm.store.snapshot.round > {round_now}", RUN_S)


def test_a_peer_killed_while_watching_is_shown_lost_with_an_alert(
    run: WatchedRun, open_page: Open
) -> None:
    page = open_page(run.address)
    expect(peers(page, "peer-6")).to_contain_text("live")

    killed_s = time.monotonic()
    run.swarm.kill(KILLED)

    expect(peers(page, "peer-6")).to_contain_text("lost", timeout=1000 * RUN_S)
    assert time.monotonic() - killed_s < LOST_SHOWN_WITHIN_S
    expect(page.locator("#graph .peer.state-lost .name")).to_have_text("peer-6")
    expect(page.locator(".figure.who")).to_contain_text("1 lost")
    alert = page.locator("#alerts li").filter(has_text="lost").filter(has_text="peer-6").first
    expect(alert).to_be_visible(timeout=1000 * RUN_S)
    expect(alert.get_by_role("button", name=re.compile(r"Round \d+"))).to_be_visible()
    alert.get_by_role("button", name="peer-6").click()
    expect(page.locator("#peer-panel h2")).to_have_text("peer-6")


def test_a_dashboard_started_anew_shows_the_whole_run(run: WatchedRun, open_page: Open) -> None:
    page = open_page(run.address)
    wait_for(page, "swarm.store.snapshot?.history.last_round >= 5", RUN_S)
    before = page.evaluate("swarm.store.snapshot.curves.global")[:5]
    run.dashboards[-1].kill()
    run.dashboards[-1].wait()
    expect(page.get_by_role("alert")).to_contain_text("The connection to the dashboard is lost")

    run.swarm.kill(0)  # whom it had bootstrapped from
    run.watch(1)
    page = open_page(run.address)

    wait_for(page, "swarm.store.snapshot?.history.complete === true", RUN_S)
    wait_for(page, "swarm.store.snapshot.curves.global.length >= 5", RUN_S)
    assert page.evaluate("swarm.store.snapshot.curves.global")[:5] == before
    # Its name died with it: the ledgers know a peer that is gone by its id.
    lost = page.locator("#alerts li").filter(has_text="lost").filter(has_text=run.ids[KILLED][-6:])
    expect(lost.first).to_be_visible(timeout=1000 * RUN_S)


def test_the_slider_goes_back_to_the_round_before_the_death(
    run: WatchedRun, open_page: Open
) -> None:
    page = open_page(run.address)
    expect(page.get_by_role("slider", name="Replay round")).to_be_enabled(timeout=1000 * RUN_S)

    page.get_by_role("slider", name="Replay round").fill("1")

    expect(page.locator("#replay")).to_contain_text("Round 1")
    expect(page.locator("#graph .peer")).to_have_count(6, timeout=1000 * RUN_S)
    expect(page.locator("#graph .peer.state-alive")).to_have_count(6)
    expect(page.locator("#graph .seat")).to_have_count(3)
    expect(page.locator("#alerts li").filter(has_text=run.ids[KILLED][-6:])).to_have_count(0)
    assert page.evaluate("Math.max(...swarm.curves.plots[0].data[0])") == 1
    point = page.evaluate("swarm.store.snapshot.curves.global.find((p) => p.round === 1)")
    expect(page.locator(".figure.accuracy .value")).to_have_text(
        f"{100 * point['accuracy']:.1f} %"
    )
