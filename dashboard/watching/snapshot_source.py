"""SnapshotSource: the source of snapshots, rounds and alerts, and the receiver of commands."""

from typing import Protocol

from dashboard.watching.snapshot_types import Alert, CommandInfo, RoundPage, Snapshot


class SnapshotSource(Protocol):
    """A source of snapshots. It owns a thread; any thread may call its methods."""

    def start(self) -> None:
        """Begin to observe. Called once, in the process that serves the page."""

    def stop(self) -> None:
        """Stop observing and join the thread, within a few seconds."""

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot. It is never changed afterwards."""

    def wait_change(self, seen_version: int, timeout_s: float) -> int:
        """Block until the version exceeds `seen_version`, at most `timeout_s`; return it."""

    def rounds(self, first: int, count: int) -> RoundPage:
        """Return rounds of the past from `first` on, at most `count`."""

    def alerts(self) -> list[Alert]:
        """Return all known alerts, oldest first."""

    def command(
        self, action: str, peer: str | None, value: float | None, session: str | None
    ) -> CommandInfo:
        """Sign a command and send it to the swarm. The snapshots show which peers obey it.

        Raises:
            ConfigurationError: This dashboard has no operator key, or a value breaks a rule.
            NetworkError: The observer is too busy.
            EndedError: The observer has ended.
        """
