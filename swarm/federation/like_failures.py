"""LikeFailures: counts failures in a row that have the same reason."""

FAILURES_MAX = 3


class LikeFailures:
    """Says when work failed so often in the same way that another attempt is useless."""

    def __init__(self) -> None:
        self.number = 0
        """Failures in a row with the newest reason; 0 after a success."""
        self._reason = ""

    def count(self, reason: str) -> bool:
        """Note a failure; return whether it is the last that may be."""
        self.number = self.number + 1 if reason == self._reason else 1
        self._reason = reason
        return self.number >= FAILURES_MAX

    def clear(self) -> None:
        """Note a success."""
        self.number, self._reason = 0, ""
