"""A real dashboard that reports, when it stops, how late its observer's loop woke up.

`benchmarks.dashboard` starts it: `python -m benchmarks.observed_dashboard <ip:port of a peer>`.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import trio

from dashboard.config import DashboardConfig
from dashboard.server import serve
from dashboard.watching.snapshot_source import SnapshotSource
from swarm.peer.host.loop_lag import LagMeter
from swarm.peer.observer.observer import Observer


class MeasuredObserver(Observer):
    """An observer that measures the lag of its loop."""

    def __init__(self, bootstraps: list[str]) -> None:
        super().__init__(bootstraps)
        self._meter = LagMeter()

    def stop(self) -> None:
        """Stop, and print what was measured."""
        super().stop()
        print(json.dumps(self._meter.report()), flush=True)

    async def _watch(self, folder: Path, ready: Callable[[], None]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._meter.run)
            await super()._watch(folder, ready)
            nursery.cancel_scope.cancel()


def main() -> int:
    """Serve until stopped."""
    bootstraps = sys.argv[1:]
    return serve(
        lambda: cast(SnapshotSource, MeasuredObserver(bootstraps)), DashboardConfig(port=0)
    )


if __name__ == "__main__":
    raise SystemExit(main())
