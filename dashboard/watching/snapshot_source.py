"""SnapshotSource: where snapshots come from, and what takes commands and questions."""

from typing import Any, Protocol

from dashboard.watching.ensemble_types import EnsembleAnswer
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

    def ask(self, ensemble: str, rows: Any, coverage: float, *, detail: bool) -> EnsembleAnswer:
        """Ask all members of an ensemble of the snapshot; blocks until the answer is there.

        Args:
            ensemble: Its id.
            rows: For columns a mapping from names to cells, or a list of such mappings, one a
                row. For arrays numbers of shape (n, *input_shape).
            coverage: Share of rows whose truth the intervals or sets are to contain, in (0, 1).
            detail: Whether the answer has each member's own.

        Raises:
            DataError: The rows break a rule; the message names the column, the row and the value.
            ConfigurationError: The coverage breaks a rule, or no such ensemble is known any more.
            OverloadedError: Too many rows wait already.
            NoQuorumError: Too few members answered in time.
            EndedError: The observer has ended.
        """
