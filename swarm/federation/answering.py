"""Answering: answers requests of other peers and observers."""

from swarm.core.effects import Send
from swarm.core.machine import Effect
from swarm.federation.ancestry import STALENESS_MAX
from swarm.federation.ledger_entries import LedgerRequest
from swarm.federation.messages import HeadRequest, SessionOffer, SessionQuery
from swarm.federation.session_ledger import SessionLedger
from swarm.federation.shared_state import SharedState

ANSWERS_PER_S = 16.0
ANSWERS_AT_ONCE = 64
"""A late dashboard reads a run of 1,000 rounds with about this many requests."""


class AnswerBudget:
    """A token bucket for all peers that ask, so that many dashboards cannot keep a peer busy.

    Invariant: in any t seconds it allows at most `ANSWERS_AT_ONCE` + t * `ANSWERS_PER_S` answers.
    """

    def __init__(self) -> None:
        self._tokens = float(ANSWERS_AT_ONCE)
        self._at_s: float | None = None

    def allows(self, now_s: float) -> bool:
        """Whether one more answer may be given now; a peer that gets none asks again."""
        if self._at_s is not None:
            gained = (now_s - self._at_s) * ANSWERS_PER_S
            self._tokens = min(float(ANSWERS_AT_ONCE), self._tokens + gained)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Answering:
    """Answers requests for heads, for the ledger and for the session.

    Invariant: peers outside the cohort are answered out of one budget, whatever their number.
    """

    def __init__(self, shared: SharedState, ledger: SessionLedger) -> None:
        self._shared = shared
        self._ledger = ledger
        self._budget = AnswerBudget()

    def heads(self, event: HeadRequest, now_s: float) -> list[Effect]:
        """Send the heads that were asked for."""
        held = self._shared.held
        member = held is not None and event.sender in held.members
        if event.count > 1 + STALENESS_MAX and not member and not self._budget.allows(now_s):
            return []
        return self._shared.exchange.answer(event)

    def ledger(self, event: LedgerRequest, now_s: float) -> list[Effect]:
        """Send a page of the ledger."""
        if not self._budget.allows(now_s):
            return []
        return [Send(event.sender, self._ledger.answer(event))]

    def session(self, event: SessionQuery, _now_s: float) -> list[Effect]:
        """Offer the session that runs here."""
        return [Send(event.sender, SessionOffer(self._shared.me, self._shared.spec))]
