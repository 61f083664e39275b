"""The pump: the one thread that carries snapshots from the source to the browsers."""

import threading
import time
from collections.abc import Callable
from typing import Any

from dashboard.watching.snapshot import Snapshot
from dashboard.watching.snapshot_diff import json_safe, update_between
from dashboard.watching.source import SnapshotSource

Send = Callable[[str, Any], None]
"""Takes the name of a message (`snapshot` or `update`) and its payload."""

_WAIT_S = 0.5
"""How long the source may block the pump: bounds how late a stop is noticed."""


class Pump:
    """Waits for changes and broadcasts them, a bounded number of times a second.

    Invariants, both kept by one lock: what was broadcast last is what a newcomer is given, so
    the next update fits for everyone; and a version goes out once. Changes that come faster
    than the limit are coalesced: an update leads from the last version sent to the newest.
    """

    def __init__(
        self, source: SnapshotSource, broadcast: Send, *, updates_per_s_max: float
    ) -> None:
        self._source = source
        self._broadcast = broadcast
        self._pause_s = 1.0 / updates_per_s_max
        self._lock = threading.Lock()
        self._sent: Snapshot | None = None
        self._greeting: tuple[Snapshot, Any] | None = None
        """What newcomers are given, made once for all that come between two updates."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dashboard-pump", daemon=True)

    def start(self) -> None:
        """Begin to pump; the source must have been started."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it; nothing is sent afterwards."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def greet(self, send: Send) -> None:
        """Give a newcomer the whole snapshot that the next update builds on."""
        with self._lock:
            if self._sent is None:
                self._sent = self._source.snapshot()
            if self._greeting is None or self._greeting[0] is not self._sent:
                self._greeting = self._sent, json_safe(self._sent)
            send("snapshot", self._greeting[1])

    def pump_once(self) -> bool:
        """Broadcast what changed since the last time; say whether anything did."""
        with self._lock:
            old, new = self._sent, self._source.snapshot()
            if old is not None and new["version"] == old["version"]:
                return False
            update = update_between(old, new) if old is not None else None
            if update is None:
                self._broadcast("snapshot", json_safe(new))
            else:
                self._broadcast("update", json_safe(update))
            self._sent = new
            return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            seen = self._sent["version"] if self._sent is not None else -1
            if self._source.wait_change(seen, _WAIT_S) == seen:
                continue
            started_s = time.monotonic()
            self.pump_once()
            self._stopping.wait(max(0.0, started_s + self._pause_s - time.monotonic()))
