"""Serves the page with an invented run.

`python tests/dashboard/serve_fake.py --peers 100 --speed 2`, or `--at 27.5` for one fixed moment,
or `--piped` to show each snapshot that is written to its standard input as a line of JSON.
"""

import argparse
import json
import sys
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fake_run import FakeRun
from fake_source import FakeSource, nothing_yet

from dashboard.config import DashboardConfig
from dashboard.server import serve
from swarm.core.errors import NetworkError


class ActiveSource(FakeSource, ABC):
    """A source that shows new snapshots in a thread."""

    def __init__(self, run: FakeRun, moment_s: float) -> None:
        super().__init__(run.at(moment_s), run.past(moment_s))
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)

    def start(self) -> None:
        super().start()
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()
        super().stop()

    @abstractmethod
    def _play(self) -> None:
        """Change the snapshot until the source is stopped."""


class PlayedSource(ActiveSource):
    """Plays a run by the clock. Each snapshot contains its time, for benchmarks."""

    def __init__(self, run: FakeRun, speed: float, begin_s: float, updates_per_s: float) -> None:
        super().__init__(run, begin_s)
        self._run, self._speed, self._begin_s = run, speed, begin_s
        self._pause_s = 1 / updates_per_s

    def _play(self) -> None:
        started_s = time.monotonic()
        due_s = started_s
        while not self._ending.wait(max(0.0, due_s - time.monotonic())):
            due_s += self._pause_s
            moment_s = self._begin_s + (time.monotonic() - started_s) * self._speed
            shown = self._run.at(moment_s)
            if shown["head"]["round"] + 1 != len(self.past):
                self.past = self._run.past(moment_s)
            shown["observer"]["stamp_ms"] = 1000 * time.monotonic()
            self.show(shown)


class FixedSource(ActiveSource):
    """Shows one moment, and sends a new version each second, as an observer does."""

    def _play(self) -> None:
        while not self._ending.wait(1.0):
            shown = self.snapshot()
            self.show({**shown, "version": shown["version"] + 1})


class PipedSource(FakeSource):
    """Shows the snapshots that another process writes."""

    def start(self) -> None:
        super().start()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self.show(json.loads(line))


class BrokenSource(FakeSource):
    """A source that cannot start."""

    def start(self) -> None:
        raise NetworkError("no network today")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=int, default=6)
    parser.add_argument("--cluster-size", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--clients-max", type=int, default=64)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--updates-per-s", type=float, default=20.0)
    parser.add_argument("--begin", type=float, default=0.0)
    parser.add_argument("--at", type=float)
    parser.add_argument("--real", action="store_true", help="not the stand-in data")
    parser.add_argument("--piped", action="store_true")
    parser.add_argument("--broken", action="store_true", help="a source that cannot start")
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--token", default="")
    options = parser.parse_args()
    config = DashboardConfig(
        port=options.port,
        clients_max=options.clients_max,
        token=options.token,
        tls_cert=options.tls_cert,
        tls_key=options.tls_key,
    )
    return serve(lambda: _source(options), config)


def _source(options: argparse.Namespace) -> FakeSource:
    run = FakeRun(options.peers, options.cluster_size, options.rounds, not options.real)
    if options.broken:
        return BrokenSource(nothing_yet())
    if options.piped:
        return PipedSource(nothing_yet())
    if options.at is not None:
        return FixedSource(run, options.at)
    return PlayedSource(run, options.speed, options.begin, options.updates_per_s)


if __name__ == "__main__":
    raise SystemExit(main())
