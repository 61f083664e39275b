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
from playwright.sync_api import Locator, Page, expect
from waiting import wait_for

from swarm.network.identity import load_or_create_identity
from tests.harness.swarm_processes import SwarmProcesses

pytestmark = pytest.mark.network

START_S = 240.0  # six TensorFlow imports at once on two busy cores
RUN_S = 120.0
LOST_SHOWN_WITHIN_S = 6.0
KILLED = 5
REMOVED = 4


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
    # Peers whose data differ: the accuracy falls now and then, as an alert of it needs.
    session += ["--partitioner", "dirichlet", "--dirichlet-alpha", "0.3"]
    session += ["--local-epochs", "4", "--batch-size", "16"]
    with SwarmProcesses(6, session, ["--operator", operator, "--hold"]) as processes:
        watched = WatchedRun(processes, key)
        try:
            watched.watch(0)
            yield watched
        finally:
            watched.stop()


Open = Callable[..., Page]


def peers(page: Page, name: str):
    return page.locator("#peers tbody tr").filter(has_text=name)


def sign_in(page: Page, run: WatchedRun) -> Locator:
    """Open the operator's sheet with the token that the dashboard printed."""
    expect(page.locator("#title")).to_contain_text("Live")
    page.get_by_role("button", name="Operator", exact=True).click()
    sheet = page.get_by_role("dialog", name="Operator")
    sheet.get_by_label("Token").fill(run.token)
    sheet.get_by_role("button", name="Sign in").click()
    expect(sheet.get_by_role("button", name="Sign out")).to_be_visible()
    return sheet


def test_a_held_session_begins_when_an_operator_starts_it(
    run: WatchedRun, open_page: Open
) -> None:
    page = open_page(run.address)
    expect(page.locator("#peers tbody tr")).to_have_count(6, timeout=1000 * START_S)
    waits = "Ready: waiting for an operator to start the session"
    expect(page.locator(".figure.round")).to_contain_text(waits, timeout=1000 * START_S)
    assert page.evaluate("swarm.store.snapshot.head") is None
    sheet = sign_in(page, run)
    expect(sheet).to_contain_text("The peers report held")

    sheet.get_by_role("button", name="Start", exact=True).click()

    expect(sheet.locator(".command.confirmed")).to_contain_text("start", timeout=1000 * RUN_S)
    expect(sheet).to_contain_text("The peers report running", timeout=1000 * RUN_S)
    wait_for(page, "swarm.store.snapshot.head !== null", START_S)


def test_the_figures_show_the_quality_of_the_model_and_the_peers(
    run: WatchedRun, open_page: Open
) -> None:
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


def test_the_panel_shows_what_a_peer_reports(run: WatchedRun, open_page: Open) -> None:
    page = open_page(run.address)

    page.locator("#graph .peer").filter(has_text="peer-3").click()

    panel = page.get_by_role("complementary", name="peer-3")
    expect(panel.get_by_role("img", name=re.compile("Test accuracy of this peer"))).to_be_visible()
    given = panel.get_by_role("region", name="Contributions by round").locator("tbody tr")
    expect(given.first).to_contain_text(re.compile(r"\d\.\d s"), timeout=1000 * RUN_S)
    expect(panel).to_contain_text(f"/tcp/{run.swarm.ports[2]}", timeout=1000 * RUN_S)
    expect(panel).to_contain_text(re.compile(r"[1-9]\d* training examples"))
    expect(panel.locator("dd").nth(4)).to_have_text(re.compile(r"[kM]B weights"))


def test_curves_show_the_run_by_round_and_by_time(run: WatchedRun, open_page: Open) -> None:
    page = open_page(run.address)
    expect(page.locator("#curves-legend li")).to_have_count(8)  # peers, global, training

    page.get_by_role("button", name="Time", exact=True).click()
    wait_for(page, "swarm.curves.plots[0]?.data[0].length >= 3", RUN_S)
    times = page.evaluate("swarm.curves.plots[0].data[0]")
    assert times == sorted(times)
    assert times[-1] > times[0]

    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    lines = list(csv.DictReader(saved.value.path().read_text().splitlines()))
    assert {line["series"] for line in lines} == {*(f"peer-{k}" for k in range(1, 7)), "Global"}


def test_an_operator_pauses_and_the_swarm_reports_it(run: WatchedRun, open_page: Open) -> None:
    page = open_page(run.address)
    sheet = sign_in(page, run)

    sheet.get_by_role("button", name="Pause").click()
    paused = sheet.locator(".command.confirmed").filter(has_text="pause")
    expect(paused).to_contain_text("by 6 peers", timeout=1000 * RUN_S)
    expect(sheet).to_contain_text("The peers report paused")
    expect(page.locator(".figure.round")).to_contain_text("Paused by an operator")

    sheet.get_by_role("button", name="Resume").click()
    resumed = sheet.locator(".command.confirmed").filter(has_text="resume")
    expect(resumed).to_contain_text("by 6 peers", timeout=1000 * RUN_S)
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


def test_a_restarted_dashboard_shows_the_whole_run(run: WatchedRun, open_page: Open) -> None:
    page = open_page(run.address)
    wait_for(page, "swarm.store.snapshot?.history.last_round >= 5", RUN_S)
    before = page.evaluate("swarm.store.snapshot.curves.global")[:5]
    run.dashboards[-1].kill()
    run.dashboards[-1].wait()
    expect(page.get_by_role("alert")).to_contain_text("The connection to the dashboard is lost")

    run.swarm.kill(0)  # its bootstrap peer
    run.watch(1)
    page = open_page(run.address)

    wait_for(page, "swarm.store.snapshot?.history.complete === true", RUN_S)
    wait_for(page, "swarm.store.snapshot.curves.global.length >= 5", RUN_S)
    assert page.evaluate("swarm.store.snapshot.curves.global")[:5] == before
    gone = re.compile(r"peer-6 (is gone|stopped answering)")
    lost = page.locator("#alerts li").filter(has_text=gone).first
    expect(lost).to_be_visible(timeout=1000 * RUN_S)
    expect(page.locator("#curves-legend li").filter(has_text="peer-6")).to_be_visible()
    lost.get_by_role("button", name="peer-6").click()
    panel = page.get_by_role("complementary", name="peer-6")
    expect(panel).to_contain_text("It was gone before this dashboard started")
    given = panel.get_by_role("region", name="Contributions by round").locator("tbody tr")
    timed = given.filter(has_text=re.compile(r"\d\.\d s"))
    expect(timed.first).to_be_visible(timeout=1000 * RUN_S)


def test_the_slider_goes_back_to_the_round_before_the_death(
    run: WatchedRun, open_page: Open
) -> None:
    page = open_page(run.address)
    expect(page.get_by_role("slider", name="Replay round")).to_be_enabled(timeout=1000 * RUN_S)

    page.get_by_role("slider", name="Replay round").fill("1")

    expect(page.locator("#replay")).to_contain_text("Round 1")
    expect(page.locator("#graph .peer")).to_have_count(6, timeout=1000 * RUN_S)
    expect(page.locator("#graph .peer.state-alive")).to_have_count(6)
    expect(page.locator("#graph .peer .name")).to_have_text([f"peer-{k}" for k in range(1, 7)])
    expect(page.locator("#graph .seat")).to_have_count(3)
    expect(page.locator("#alerts li").filter(has_text="peer-6")).to_have_count(0)
    assert page.evaluate("Math.max(...swarm.curves.plots[0].data[0])") == 1
    point = page.evaluate("swarm.store.snapshot.curves.global.find((p) => p.round === 1)")
    expect(page.locator(".figure.accuracy .value")).to_have_text(
        f"{100 * point['accuracy']:.1f} %"
    )


def test_a_fall_of_the_accuracy_is_an_alert_if_it_exceeds_the_threshold_of_an_operator(
    run: WatchedRun, open_page: Open
) -> None:
    page = open_page(run.address)
    sheet = sign_in(page, run)
    threshold = sheet.get_by_label("Alert when the accuracy falls by more than")
    falls = page.locator("#alerts li").filter(has_text="accuracy fell from")

    threshold.fill("100")
    sheet.get_by_role("button", name="Set").click()
    expect(sheet).to_contain_text("The peers report 100.0 %", timeout=1000 * RUN_S)
    wait_for(page, f"{FALLS}.length === 0", RUN_S)

    threshold.fill("0.1")
    sheet.get_by_role("button", name="Set").click()
    expect(sheet).to_contain_text("The peers report 0.1 %", timeout=1000 * RUN_S)
    wait_for(page, f"{FALLS}.length > 0", RUN_S)  # less than one example
    expect(sheet.locator(".command.confirmed").filter(has_text="threshold")).to_have_count(2)
    sheet.get_by_role("button", name="Close").click()
    expect(falls.first).to_be_visible()
    expect(falls.first.get_by_role("button", name=re.compile(r"Round \d+"))).to_be_visible()


FALLS = "swarm.store.snapshot.alerts.filter((alert) => alert.kind === 'drop')"


def test_a_peer_that_an_operator_removes_leaves_and_the_others_continue(
    run: WatchedRun, open_page: Open
) -> None:
    page = open_page(run.address)
    sign_in(page, run).get_by_role("button", name="Close").click()
    name = f"peer-{REMOVED + 1}"
    peers(page, name).get_by_role("button").click()
    panel = page.get_by_role("complementary", name=name)

    panel.get_by_role("button", name="Remove this peer").click()
    panel.get_by_role("button", name="Confirm: remove this peer").click()

    assert run.swarm.peers[REMOVED].process.wait(RUN_S) == 0
    expect(panel.get_by_role("button", name="Readmit this peer")).to_be_visible(
        timeout=1000 * RUN_S
    )
    expect(peers(page, name)).to_contain_text("removed")
    expect(page.locator("#graph .peer.state-removed .name")).to_have_text(name)
    alert = page.locator("#alerts li").filter(has_text="removed").filter(has_text=name)
    expect(alert.first).to_be_visible(timeout=1000 * RUN_S)
    head = "swarm.store.snapshot.head.round"
    wait_for(page, f"{head} >= {page.evaluate(head)} + 2", RUN_S)
    assert run.ids[REMOVED] not in page.evaluate(IN_CLUSTERS)


IN_CLUSTERS = "swarm.store.snapshot.clusters.flatMap((cluster) => cluster.members)"


def test_an_operator_stops_the_run_and_all_peers_keep_one_last_model(
    run: WatchedRun, open_page: Open
) -> None:
    page = open_page(run.address)
    sheet = sign_in(page, run)

    sheet.get_by_role("button", name="Stop", exact=True).click()
    sheet.get_by_role("button", name="Confirm: stop").click()

    expect(sheet).to_contain_text("The peers report stopped", timeout=1000 * RUN_S)
    stopped = sheet.locator(".command.confirmed").filter(has_text="stop")
    expect(stopped).to_contain_text("by 3 peers", timeout=1000 * RUN_S)
    sheet.get_by_role("button", name="Close").click()
    expect(page.locator(".figure.round")).to_contain_text("Stopped by an operator after")
    wait_for(page, "swarm.store.snapshot.finished", RUN_S)
    deadline_s = time.monotonic() + RUN_S
    while kept_heads(run) != {page.evaluate("swarm.store.snapshot.head.digest")}:
        assert time.monotonic() < deadline_s, kept_heads(run)
        page.wait_for_timeout(200)


def kept_heads(run: WatchedRun) -> set[str]:
    """The reports of the remaining peers in their files."""
    return {report["head_digest"] for report in run.swarm.reports()[1:REMOVED]}
