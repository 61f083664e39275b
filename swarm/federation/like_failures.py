"""LikeFailures: counts failures in a row that have the same reason."""

import re

FAILURES_MAX = 3
_VARIES = re.compile(r"0x[0-9a-fA-F]+|\d+")
"""What differs between two failures of one kind: addresses, times, values."""


class LikeFailures:
    """Says when the same failure has come often enough to give up."""

    def __init__(self) -> None:
        self.number = 0
        """Failures in a row with the newest reason; 0 after a success."""
        self._kind = ""

    def count(self, reason: str) -> bool:
        """Note a failure; return whether it is the last that may be."""
        kind = _VARIES.sub("#", reason)
        self.number = self.number + 1 if kind == self._kind else 1
        self._kind = kind
        return self.number >= FAILURES_MAX

    def clear(self) -> None:
        """Note a success."""
        self.number, self._kind = 0, ""
