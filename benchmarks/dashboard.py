"""`python -m benchmarks.dashboard`: what the page costs browser and server.

Four things are measured:

- The share of a browser's main thread, in a real Chromium: the time of its tasks (scripts, styles,
  layout, paint) over the time that passed. The browser's own performance timeline counts the tasks
  (`Performance.getMetrics`, TaskDuration). Meanwhile a made-up run of 6 and of 500 peers sends a
  changed snapshot every 100 ms.
- The delay of updates, at socket clients. It counts from the moment when the server's source
  changed, which the snapshot carries, to the moment when a client has the update. One process
  holds all clients, another one the server.
- The observer's loop, inside a real dashboard of a real swarm: how late trio wakes up, and how
  long its own tasks computed between two wake-ups. The rest is waiting for a core that peers use.
- The cost of snapshots of a large swarm, with simulated peers that a real observing machine hears.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

from dashboard.watching.snapshot import Snapshot
from dashboard.watching.snapshot_diff import json_safe, update_between
from swarm.core.session import SessionSpec
from swarm.simulation.federation.faults import SessionFaults
from swarm.simulation.federation.simulator import SessionSimulator
from tests.harness.simulated_swarm import WatchedSimulation

SERVER = Path(__file__).parent.parent / "tests" / "dashboard" / "serve_fake.py"
MADE_UP = (str(SERVER), "--port", "0", "--updates-per-s", "10", "--begin", "62")
"""A made-up run, played from its seventh round on."""
SETTLED_S = 40.0
"""Virtual seconds after which many simulated peers are in their sixth round."""
TARGETS = {
    "main_thread_share_6": 0.2,
    "main_thread_share_500": 0.35,
    "update_delay_p99_ms": 150.0,
    "observer_loop_p99_ms": 50.0,
}
"""The project's own targets, on two cores."""


def main() -> None:
    """Print a table, and with --json one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each measurement")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--only", choices=["browser", "clients", "observer", "snapshots"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, float] = {}
    if options.only in {None, "browser"}:
        results |= {
            f"main_thread_share_{peers}": main_thread_share(peers, options.seconds)
            for peers in (6, 500)
        }
    if options.only in {None, "clients"}:
        results |= update_delays(options.clients, options.seconds)
    if options.only in {None, "observer"}:
        results |= observer_lag(options.seconds)
    if options.only in {None, "snapshots"}:
        results |= snapshot_costs(500)
    for name, value in results.items():
        target = f"  (target: at most {TARGETS[name]})" if name in TARGETS else ""
        print(f"{name:28} {value:10.3f}{target}")
    if options.json:
        print(json.dumps(results))


def main_thread_share(num_peers: int, seconds: float) -> float:
    """Share of a browser's main thread that the page takes at ten updates a second."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- its loop excludes trio's

    cluster_size = 3 if num_peers <= 12 else 10
    made_up = [*MADE_UP, "--peers", str(num_peers), "--cluster-size", str(cluster_size)]
    with Server(*made_up) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(server.url)
        page.locator("#graph .peer").nth(num_peers - 1).wait_for(state="attached")
        timeline = page.context.new_cdp_session(page)
        timeline.send("Performance.enable", {"timeDomain": "timeTicks"})
        page.wait_for_timeout(2000)  # fonts, first layouts, compiled scripts
        first, version = _metrics(timeline), page.evaluate("swarm.store.snapshot.version")
        updates = page.evaluate(_COUNT_UPDATES, 1000 * seconds)
        last = _metrics(timeline)
        assert page.evaluate("swarm.store.snapshot.version") > version
        browser.close()
    passed_s = last["Timestamp"] - first["Timestamp"]
    print(f"{num_peers} peers: {updates / passed_s:.1f} updates a second", file=sys.stderr)
    return (last["TaskDuration"] - first["TaskDuration"]) / passed_s


_COUNT_UPDATES = """(ms) => new Promise((done) => {
  let count = 0;
  swarm.store.addEventListener("change", ({ detail }) => (count += detail.has("peers")));
  setTimeout(() => done(count), ms);
})"""


def _metrics(timeline: Any) -> dict[str, float]:
    answer = timeline.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in answer["metrics"]}


def update_delays(num_clients: int, seconds: float) -> dict[str, float]:
    """Measure how late updates reach the sockets of many browsers."""
    with Server(*MADE_UP, "--clients-max", str(num_clients + 8)) as server:
        delays_ms: list[float] = []
        counting, ending = threading.Event(), threading.Event()
        readers = [
            threading.Thread(target=_listen, args=(server.url, delays_ms, counting, ending))
            for _ in range(num_clients)
        ]
        for reader in readers:
            reader.start()
        time.sleep(3)  # noqa: TID251 -- all are connected and greeted
        counting.set()
        time.sleep(seconds)  # noqa: TID251 -- threads measure meanwhile
        ending.set()
        for reader in readers:
            reader.join(10)
    assert delays_ms, "no update arrived"
    cut = statistics.quantiles(delays_ms, n=100)
    return {
        "clients": num_clients,
        "updates_per_client_s": len(delays_ms) / num_clients / seconds,
        "update_delay_p50_ms": cut[49],
        "update_delay_p99_ms": cut[98],
    }


def _listen(
    url: str, delays_ms: list[float], counting: threading.Event, ending: threading.Event
) -> None:
    """Act as one browser's socket; read only the time stamp of each update."""
    from simple_websocket import Client, ConnectionClosed  # noqa: PLC0415 -- only clients need it

    address = url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    socket = Client.connect(address)  # not a browser: it sends no Origin header
    try:
        while not ending.is_set():
            text = socket.receive(timeout=1)
            if text is None:
                continue
            now_ms = 1000 * time.monotonic()
            if text.startswith("0"):
                socket.send("40")
            elif text == "2":
                socket.send("3")
            elif counting.is_set() and '"update"' in text[:12] and _STAMP in text:
                delays_ms.append(now_ms - _stamp_ms(text))
    except ConnectionClosed as error:
        print(f"a client was cut off: {error}", file=sys.stderr)
    finally:
        socket.close()


def _stamp_ms(text: str) -> float:
    at = text.index(_STAMP) + len(_STAMP)
    return float(text[at : text.index("}", at)])


_STAMP = '"stamp_ms":'
"""Where serve_fake.py puts the time of its last change, on this machine's monotonic clock."""


def observer_lag(seconds: float) -> dict[str, float]:
    """Measure how late an observer's loop wakes up, beside six peers that train."""
    from tests.harness.swarm_processes import SwarmProcesses  # noqa: PLC0415 -- heavy

    session = ["--dataset", "digits", "--model", "cnn", "--rounds", "500", "--min-peers", "6"]
    with SwarmProcesses(6, [*session, "--local-epochs", "4", "--batch-size", "16"]) as swarm:
        swarm.wait_event("adopted", 240, round=2)
        dashboard = ["-m", "benchmarks.observed_dashboard", f"127.0.0.1:{swarm.ports[0]}"]
        with Server(*dashboard) as server:
            ending = threading.Event()
            reader = threading.Thread(target=_listen, args=(server.url, [], ending, ending))
            reader.start()
            time.sleep(seconds)  # noqa: TID251 -- the observer measures meanwhile
            ending.set()
            reader.join(10)
        lags = json.loads(server.last_line)
    return {
        "observer_loop_p50_ms": lags["loop_lag_p50_ms"],
        "observer_loop_p99_ms": lags["loop_lag_p99_ms"],
        "observer_loop_max_ms": lags["loop_lag_max_ms"],
        "observer_loop_busy_p99_ms": lags["loop_busy_p99_ms"],
        "observer_loop_busy_max_ms": lags["loop_busy_max_ms"],
    }


def snapshot_costs(num_peers: int) -> dict[str, float]:
    """Measure what a dashboard of many peers computes for a snapshot, and how much it sends.

    Over ten seconds of a simulated run, at the observer's ten snapshots a second.
    """
    spec = SessionSpec(rounds=200, cluster_size=10, min_peers=2, deadline_first_s=30.0)
    swarm = WatchedSimulation(SessionSimulator(spec, num_peers, SessionFaults(), seed=1))
    watcher = swarm.watch()
    swarm.run(SETTLED_S)
    before = watcher.snapshot() | {"version": 0}
    snapshot_ms, update_ms, sizes_kb = [], [], []
    for number in range(1, 101):
        swarm.run(SETTLED_S + number / 10)
        began_s = time.thread_time()
        after = watcher.snapshot() | {"version": number}
        made_s = time.thread_time()
        text = json.dumps(json_safe(update_between(cast(Snapshot, before), cast(Snapshot, after))))
        snapshot_ms.append(1000 * (made_s - began_s))
        update_ms.append(1000 * (time.thread_time() - made_s))
        sizes_kb.append(len(text) / 1000)
        before = after
    results = {"snapshot_peers": float(num_peers)}
    for name, values in (
        ("snapshot_ms", snapshot_ms),
        ("update_ms", update_ms),
        ("update_kb", sizes_kb),
    ):
        cut = statistics.quantiles(values, n=100)
        results |= {f"{name}_p50": cut[49], f"{name}_p99": cut[98]}
    return results


class Server:
    """Run a dashboard in its own process."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments

    def __enter__(self) -> "Server":
        self._process = subprocess.Popen(
            [sys.executable, *self._arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().removeprefix("Dashboard: ").strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        rest, _ = self._process.communicate(timeout=15)
        self.last_line = rest.strip().rpartition("\n")[2]


if __name__ == "__main__":
    main()
