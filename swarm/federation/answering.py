"""AnswerBudget: how much of the past a peer tells to those who only watch."""

ANSWERS_PER_S = 16.0
ANSWERS_AT_ONCE = 64
"""A late dashboard reads a run of 1,000 rounds with about as many requests."""


class AnswerBudget:
    """A token bucket for all askers together, so that many dashboards cannot keep a peer busy.

    Invariant: in any t seconds it allows at most `ANSWERS_AT_ONCE` + t * `ANSWERS_PER_S` answers.
    """

    def __init__(self) -> None:
        self._tokens = float(ANSWERS_AT_ONCE)
        self._at_s: float | None = None

    def allows(self, now_s: float) -> bool:
        """Whether one more answer may be given now; who is refused asks again."""
        if self._at_s is not None:
            gained = (now_s - self._at_s) * ANSWERS_PER_S
            self._tokens = min(float(ANSWERS_AT_ONCE), self._tokens + gained)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
