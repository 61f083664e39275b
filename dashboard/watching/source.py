"""SnapshotSource: where snapshots, rounds and alerts come from, and commands go."""

from typing import Protocol

from dashboard.watching.snapshot import Alert, CommandFacts, RoundPage, Snapshot


class SnapshotSource(Protocol):
    """Where snapshots come from. It owns its thread; every method may be called from any other."""

    def start(self) -> None:
        """Begin to observe; called once, in the process that serves the page."""

    def stop(self) -> None:
        """Stop observing and join the thread, within a few seconds."""

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot, a value that nobody changes afterwards."""

    def wait_change(self, seen_version: int, timeout_s: float) -> int:
        """Block until the version is above `seen_version`, or for `timeout_s`; return it."""

    def rounds(self, first: int, count: int) -> RoundPage:
        """Rounds of the past from `first` on, at most `count`."""

    def alerts(self) -> list[Alert]:
        """All alerts that are known, oldest first."""

    def command(self, action: str, peer: str | None, value: float | None) -> CommandFacts:
        """Sign a command and give it to the swarm; what becomes of it is in the snapshots.

        Raises:
            ConfigurationError: This dashboard gives no commands, or the values break a rule.
            NetworkError: Whoever watches is too busy.
            EndedError: It has ended.
        """
