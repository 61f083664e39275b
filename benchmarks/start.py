"""`python -m benchmarks.start`: what a person waits for after typing `./run.sh` a second time.

Starts `./run.sh` as a user would, opens its page in a headless Chromium, and times from the
command: the first peer listening, the page showing a running training accuracy, and the global
test accuracy passing a mark. The default settings are used; the options are handed on.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Page, sync_playwright

from tests.harness.reserved_ports import reserved_ports

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
LOOK_EVERY_S = 0.1
PAGE_WITHIN_S, TRAINING_WITHIN_S, MARK_WITHIN_S = 120.0, 180.0, 900.0
STOP_WITHIN_S = 15.0
SHOWN = re.compile(r"training accuracy\s*\d+(\.\d+)?\s*%", re.IGNORECASE)
"""What a person reads on the page."""


def main() -> None:
    """Print a table, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mark", type=float, default=0.5, help="test accuracy to wait for")
    parser.add_argument("--data-dir", default=None, help="folder with cifar-10-batches-bin/")
    parser.add_argument("--json", action="store_true")
    options, handed_on = parser.parse_known_args()
    subprocess.run(["./run.sh", "setup"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    results = measure(options.mark, options.data_dir, handed_on)
    for name, value in results.items():
        print(f"{name:36} {value}")
    if options.json:
        print(json.dumps(results))


def measure(mark: float, data_dir: str | None, handed_on: list[str]) -> dict[str, Any]:
    """Start, watch, stop."""
    with (
        tempfile.TemporaryDirectory(prefix="swarm-start-") as folder,
        reserved_ports(1) as (port,),
    ):
        command = ["./run.sh", "--port", str(port), "--runs-dir", folder, *handed_on]
        command += ["--data-dir", data_dir] if data_dir else []
        started_s = time.monotonic()
        with (Path(folder) / "output").open("w") as output:
            run = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
            try:
                return _watch(run, Path(folder), f"http://localhost:{port}", mark, started_s)
            finally:
                run.send_signal(signal.SIGINT)
                try:
                    run.wait(STOP_WITHIN_S)
                except subprocess.TimeoutExpired:
                    run.kill()


def _watch(
    run: subprocess.Popen[bytes], folder: Path, url: str, mark: float, started_s: float
) -> dict[str, Any]:
    def wait(what: Callable[[], T | None], within_s: float, name: str) -> tuple[T, float]:
        while (found := what()) is None:
            if run.poll() is not None or time.monotonic() - started_s > within_s:
                said = (folder / "output").read_text()[-2000:]
                raise SystemExit(f"no {name} within {within_s:.0f} s of ./run.sh:\n{said}")
            time.sleep(LOOK_EVERY_S)  # noqa: TID251 - a person looks, and looks again
        return found, round(time.monotonic() - started_s, 1)

    def listening() -> bool | None:
        logs = folder.glob("*/peers/*/log.jsonl")
        return True if any('"listening"' in log.read_text() for log in logs) else None

    def snapshot() -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(f"{url}/api/snapshot", timeout=2) as answer:  # noqa: S310 - our own page
                found: dict[str, Any] = json.load(answer)
                return found
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return None

    def passed() -> dict[str, Any] | None:
        found = snapshot()
        accuracy = found["global"]["accuracy"] if found else None
        return found if accuracy is not None and accuracy >= mark else None

    _, first_peer_s = wait(listening, PAGE_WITHIN_S, "peer that listens")
    _, page_s = wait(snapshot, PAGE_WITHIN_S, "page")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("SWARM_CHROMIUM") or shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        page = browser.new_page()
        page.goto(url)
        _, training_s = wait(lambda: _training_accuracy(page), TRAINING_WITHIN_S, "accuracy")
        browser.close()  # drawing for nobody would cost the peers their processor
    reached, mark_s = wait(passed, MARK_WITHIN_S, f"test accuracy of {mark}")
    return {
        "dataset": reached["session"]["dataset_label"],
        "first_peer_listening_s": first_peer_s,
        "page_answers_s": page_s,
        "training_accuracy_on_page_s": training_s,
        f"test_accuracy_{mark:g}_s": mark_s,
        "round_of_that": reached["global"]["round"],
        "accuracy": round(reached["global"]["accuracy"], 4),
    }


def _training_accuracy(page: Page) -> bool | None:
    return True if SHOWN.search(page.inner_text("body")) else None


if __name__ == "__main__":
    sys.exit(main())
