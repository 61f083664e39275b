"""The broadcaster: one thread that sends snapshots from the source to all browsers."""

import threading
import time
from collections.abc import Callable
from typing import Any

from dashboard.page.snapshot_diff import update_between
from dashboard.watching.json_answers import json_safe
from dashboard.watching.snapshot_source import SnapshotSource
from dashboard.watching.snapshot_types import Snapshot

Send = Callable[[str, Any], None]
"""Called with the name of a message (`snapshot` or `update`) and its payload."""

_WAIT_S = 0.5
"""Longest wait for a change; a stop is noticed after this time at the latest."""


class Broadcaster:
    """Waits for changes and broadcasts them, a limited number of times a second.

    Changes that come faster are combined: an update leads from the last version that was sent
    to the newest one.

    Invariants, both kept by one lock:
        A new browser receives the snapshot that was broadcast last, so the next update fits.
        Each version is broadcast at most once.
    """

    def __init__(
        self, source: SnapshotSource, broadcast: Send, *, updates_per_s_max: float
    ) -> None:
        self._source = source
        self._broadcast = broadcast
        self._pause_s = 1.0 / updates_per_s_max
        self._lock = threading.Lock()
        self._sent: Snapshot | None = None
        self._encoded: tuple[Snapshot, Any] | None = None
        """`_sent` as JSON, made once for all browsers that connect between two updates."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broadcaster", daemon=True)

    def start(self) -> None:
        """Begin to broadcast. The source must have been started."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it. Nothing is sent afterwards."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def send_snapshot(self, send: Send) -> None:
        """Send a new browser the whole snapshot that the next update builds on."""
        with self._lock:
            if self._sent is None:
                self._sent = self._source.snapshot()
            if self._encoded is None or self._encoded[0] is not self._sent:
                self._encoded = self._sent, json_safe(self._sent)
            send("snapshot", self._encoded[1])

    def broadcast_once(self) -> bool:
        """Broadcast what changed since the last time. Return whether anything changed."""
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
            self.broadcast_once()
            self._stopping.wait(max(0.0, started_s + self._pause_s - time.monotonic()))
