"""`python -m benchmarks.screenshots`: makes the images in docs/ from a real run of six peers.

Six peers train on digits. The page is photographed while models move, in light and in dark. It is
also photographed with a peer's panel, in an early round, and after a peer was killed. A hundred
processes do not fit on one machine. That image shows a hundred simulated peers, which train three
weights each; a real observing machine hears what the peers' deciding machines send.

On the tab Ensemble, three members with different learners, fitted on invented rows, answer.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from swarm.core.session import SessionSpec
from swarm.simulation.faults import Crash
from swarm.simulation.federation.faults import SessionFaults
from swarm.simulation.federation.simulator import SessionSimulator
from tests.harness.ensemble_processes import EnsembleProcesses
from tests.harness.house_rows import write_houses
from tests.harness.simulated_learning import LogisticLearner
from tests.harness.simulated_swarm import WatchedSimulation
from tests.harness.swarm_processes import SwarmProcesses

SITES = ("Bern", "Bern", "Utrecht", "Utrecht", "Lyon", "Lyon")
SESSION = [
    *("--dataset", "digits", "--model", "cnn", "--rounds", "40", "--min-peers", "6"),
    *("--local-epochs", "2", "--batch-size", "16", "--learning-rate", "0.004"),
]
LEARNERS = ("gbr", "forest", "ridge")
ROUNDS = 12
"""Rounds before the first image: curves should have a shape."""
PATIENCE_S = 300.0
SERVE_FAKE = Path(__file__).parent.parent / "tests" / "dashboard" / "serve_fake.py"


def main() -> None:
    """Write the images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--only", choices=["six", "hundred", "ensemble"])
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        if options.only in {None, "six"}:
            photograph_six(browser, options.out)
        if options.only in {None, "hundred"}:
            photograph_hundred(browser, options.out)
        if options.only in {None, "ensemble"}:
            photograph_ensemble(browser, options.out)
        browser.close()


def photograph_six(browser: Browser, out: Path) -> None:
    """Photograph six real peers, one of which is killed."""
    with SwarmProcesses(6, SESSION, start=0) as swarm:
        for site in SITES:
            swarm.start_next(["--site", site])
        with _serving("-m", "dashboard", "--bootstrap", f"127.0.0.1:{swarm.ports[0]}") as (url, _):
            light, dark = _page(browser, url, "light"), _page(browser, url, "dark")
            _wait(light, f"swarm.store.snapshot?.global.round >= {ROUNDS}")
            _wait(light, "swarm.store.snapshot.flows.some((f) => f.kind === 'aggregate')")
            light.screenshot(path=out / "dashboard.png")
            _wait(dark, "swarm.store.snapshot.flows.some((f) => f.kind === 'contribution')")
            dark.screenshot(path=out / "dashboard-dark.png")
            dark.locator("#graph .peer").nth(2).click()
            expect(dark.get_by_role("region", name="Contributions by round")).to_be_visible()
            dark.screenshot(path=out / "dashboard-peer.png")
            swarm.kill(3)
            expect(light.locator("#graph .peer.state-lost")).to_be_visible(timeout=30_000)
            _wait(light, "swarm.store.snapshot.alerts.some((a) => a.severity === 'error')")
            light.screenshot(path=out / "dashboard-failure.png")
            light.get_by_role("slider", name="Replay round").fill("4")
            expect(light.locator("#replay")).to_contain_text("made at", timeout=30_000)
            light.screenshot(path=out / "dashboard-replay.png")


def photograph_hundred(browser: Browser, out: Path) -> None:
    """Photograph a hundred simulated peers, of which one dies."""
    snapshot = simulated_hundred()
    with _serving(str(SERVE_FAKE), "--piped") as (url, process):
        assert process.stdin is not None
        process.stdin.write(json.dumps(snapshot) + "\n")
        process.stdin.flush()
        page = _page(browser, url, "light")
        expect(page.locator("#graph .peer")).to_have_count(100)
        page.wait_for_timeout(500)  # wait for curves and labels
        page.screenshot(path=out / "dashboard-100-peers.png")


def photograph_ensemble(browser: Browser, out: Path) -> None:
    """Photograph an answer of three real members, after all have scored all models."""
    with tempfile.TemporaryDirectory() as folder, EnsembleProcesses(Path(folder)) as swarm:
        for seed, learner in enumerate(LEARNERS):
            rows = write_houses(Path(folder) / f"{seed}.csv", 400, seed)
            swarm.start(rows, "--learner", learner)
        with _serving("-m", "dashboard", "--bootstrap", swarm.address) as (url, _):
            page = _page(browser, f"{url}/ensemble", "light")
            num_scores = len(LEARNERS) ** 2
            _wait(page, f"swarm.store.snapshot?.ensembles[0]?.matrix.length === {num_scores}")
            page.get_by_role("button", name="Fill in means").click()
            page.get_by_label("Neighborhood").fill("NAmes")
            for number in range(1, 4):
                page.get_by_role("button", name="Ask all members").click()
                _wait(page, f"swarm.store.snapshot.ensembles[0].num_asked === {number}")
            page.locator(".answer svg").wait_for()
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=out / "dashboard-ensemble.png")


def simulated_hundred() -> dict[str, Any]:
    """A snapshot of a hundred simulated peers, taken while aggregates move."""
    spec = SessionSpec(
        model="logistic", dataset="points", rounds=20, cluster_size=10, deadline_first_s=30.0
    )
    plan = SessionFaults(crashes=(Crash("trainer", 4, 1.0),), sites=SITES)
    swarm = WatchedSimulation(SessionSimulator(spec, 100, plan, seed=1, learner=LogisticLearner))
    watcher = swarm.watch()
    while True:
        swarm.run(swarm.simulator.now_s + 0.1)
        snapshot = watcher.snapshot()
        moving = {flow["kind"] for flow in snapshot["flows"]}
        if snapshot["round"] > ROUNDS and "aggregate" in moving and "head" not in moving:
            return {**snapshot, "version": 1}


@contextmanager
def _serving(*command: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    process = subprocess.Popen(
        [sys.executable, *command, "--port", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().removeprefix("Dashboard: ").strip(), process
    finally:
        process.terminate()
        process.communicate(timeout=15)


def _page(browser: Browser, url: str, scheme: str) -> Page:
    context = browser.new_context(
        viewport={"width": 1440, "height": 1020},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#title")).to_contain_text("Live")
    return page


def _wait(page: Page, expression: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not page.evaluate(expression):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{expression} not within {PATIENCE_S} s")
        page.wait_for_timeout(30)


if __name__ == "__main__":
    main()
