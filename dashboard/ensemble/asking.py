"""Questions of HTTP clients: a bounded number at once, and the status that an error has."""

import threading
from typing import Any

from dashboard.ensemble.finding import UnknownEnsembleError
from dashboard.watching.ensemble_types import EnsembleAnswer, EnsembleInfo
from dashboard.watching.snapshot_source import SnapshotSource
from swarm.core.errors import (
    ConfigurationError,
    DataError,
    OverloadedError,
    SwarmError,
)

QUESTIONS_AT_ONCE_MAX = 16
"""Each question takes a thread of the server until its answer is there."""
BODY_BYTES_MAX = 16 * 1024 * 1024
ROWS_MAX = 100_000
NUMBERS_MAX = 10_000_000
"""Most numbers in one answer: rows times classes, once more for each member on request."""
RETRY_AFTER_S = 1
DEFAULT_COVERAGE = 0.9


class HttpAsking:
    """Asks a source for HTTP clients; safe from any thread."""

    def __init__(self, source: SnapshotSource) -> None:
        self._source = source
        self._free = threading.BoundedSemaphore(QUESTIONS_AT_ONCE_MAX)

    def ask(self, ensemble: str, rows: Any, coverage: float, *, detail: bool) -> EnsembleAnswer:
        """Ask an ensemble; see `SnapshotSource.ask`.

        Raises:
            OverloadedError: Also if too many questions are under way at this dashboard.
        """
        if not self._free.acquire(blocking=False):
            raise OverloadedError(
                f"busy: {QUESTIONS_AT_ONCE_MAX} questions are under way at this dashboard, which "
                "is the most; ask again later"
            )
        try:
            return self._source.ask(ensemble, rows, coverage, detail=detail)
        finally:
            self._free.release()


def check_size(ensemble: EnsembleInfo, num_rows: int, *, detail: bool) -> None:
    """Check that the answer to this number of rows is not too large.

    Raises:
        DataError: It would be; the message gives the limit.
    """
    parts = 1 + (len(ensemble["members"]) if detail else 0)
    size = num_rows * max(1, len(ensemble["classes"])) * parts
    if size > NUMBERS_MAX:
        raise DataError(
            f"an answer must have at most {NUMBERS_MAX:,} numbers, {num_rows:,} rows would have "
            f"{size:,}: ask for fewer rows at once"
        )


def status_of(error: SwarmError) -> int:
    """The HTTP status of an error: 4xx if the request is to blame."""
    if isinstance(error, UnknownEnsembleError):
        return 404
    if isinstance(error, DataError | ConfigurationError):
        return 400
    if isinstance(error, OverloadedError):
        return 429
    return 503
