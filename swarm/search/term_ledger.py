"""TermLedger: what a coordinator records in its term, and what its strategy learns from it."""

from swarm.core.errors import StrategyError
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search.lease_book import LeaseBook
from swarm.search.ledger_writer import LedgerWriter
from swarm.search.strategies.strategy import Strategy
from swarm.search.study_ledger import FAILED, Closed, Entry, Recorded
from swarm.search.trial import ERROR_LENGTH_MAX, TrialResult


class TermLedger:
    """Adds entries to the ledger and tells each to the strategy.

    Invariant: the strategy learned every entry once, in order, or its error ended the study.
    """

    def __init__(
        self, me: PeerId, strategy: Strategy, writer: LedgerWriter, leases: LeaseBook
    ) -> None:
        self._me = me
        self._strategy = strategy
        self._writer = writer
        self._leases = leases

    def replay(self) -> list[Effect]:
        """Tell a new strategy the ledger of the terms before."""
        try:
            for entry in self._writer.ledger.entries:
                self._strategy.tell(entry)
        except StrategyError as error:
            return self.fail(error)
        return []

    def record(self, entry: Entry) -> list[Effect]:
        """Add an entry; return what follows, which is nothing if the ledger did not take it."""
        effects = self._writer.append(entry)
        if effects:
            try:
                self._strategy.tell(entry)
            except StrategyError as error:
                effects += self.fail(error)
        return effects

    def record_result(self, result: TrialResult) -> list[Effect]:
        """Record the first result of a trial, which ends its lease."""
        effects = self.record(Recorded(result))
        if effects:
            self._leases.end_lease(result.trial, result.duration_s)
        return effects

    def close(self, reason: str, error: str = "") -> list[Effect]:
        """End the study."""
        return self._writer.append(Closed(reason, self._me, error))

    def fail(self, error: StrategyError) -> list[Effect]:
        """End the study: a successor would most likely run the same strategy and fail as well."""
        return self.close(FAILED, str(error)[:ERROR_LENGTH_MAX])
