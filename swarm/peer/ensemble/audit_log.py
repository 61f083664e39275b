"""AuditLog: which peer asked a member for how many rows, and what came of it; JSON lines.

    {"time": "2026-12-01T16:20:00.123Z", "asker": "12D3Koo...", "rows": 120, "outcome": "answered"}

A full file becomes `audit.log.1`, which replaces the one before it. So the log takes at most twice
`SIZE_MAX` bytes. What was asked is never written, only how much.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from swarm.core.errors import StorageError
from swarm.core.ids import PeerId

AUDIT_LOG = "audit.log"
SIZE_MAX = 8 * 1024 * 1024
"""Bytes of one file: some 60,000 questions."""


@dataclass(frozen=True, slots=True)
class AskerTotal:
    """What one asker asked for, as far as the log goes back."""

    asker: PeerId
    num_questions: int
    num_rows: int
    """Rows of questions that were answered."""
    num_refused: int
    last: str
    """Time of its last question."""


class AuditLog:
    """Appends to the log of one member."""

    def __init__(self, path: Path, size_max: int = SIZE_MAX) -> None:
        self._path = path
        self._size_max = size_max

    def write(self, asker: PeerId, num_rows: int, outcome: str, now: datetime) -> None:
        """Append one line.

        Raises:
            StorageError: The disk refused the write.
        """
        moment = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": moment, "asker": asker, "rows": num_rows, "outcome": outcome}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                size_bytes = file.tell()
            if size_bytes >= self._size_max:
                self._path.replace(_older(self._path))
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror}") from error


def read_totals(path: Path) -> list[AskerTotal]:
    """Sum up a log, by asker; those with most rows first.

    A line that a crash cut off is left out.
    """
    totals: dict[str, AskerTotal] = {}
    for asker, num_rows, outcome, moment in _lines(path):
        old = totals.get(asker, AskerTotal(PeerId(asker), 0, 0, 0, ""))
        is_answered = outcome == "answered"
        totals[asker] = AskerTotal(
            old.asker,
            old.num_questions + 1,
            old.num_rows + (num_rows if is_answered else 0),
            old.num_refused + (not is_answered),
            moment,
        )
    return sorted(totals.values(), key=lambda total: (-total.num_rows, total.asker))


def _lines(path: Path) -> Iterator[tuple[str, int, str, str]]:
    for one in (_older(path), path):
        try:
            file = one.open(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        with file:
            for line in file:
                try:
                    found = json.loads(line)
                    yield found["asker"], int(found["rows"]), found["outcome"], found["time"]
                except (ValueError, TypeError, KeyError):
                    continue


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")
