"""GuardedStrategy: somebody's strategy; whatever its code does becomes one kind of error."""

from swarm.core.errors import StrategyError
from swarm.search.ledger import Entry, Ledger
from swarm.search.strategies.strategy import Strategy, Suggestion
from swarm.search.study import StudySpec
from swarm.search.trial import TrialReport


class GuardedStrategy(Strategy):
    """Raises `StrategyError` where the code raises anything, or suggests what is not in the space.

    A peer must not end because of code that a study brings: the next one would take over, and end.
    """

    def __init__(self, strategy: Strategy, spec: StudySpec) -> None:
        """Wrap a strategy.

        Raises:
            ValueError: It has not what strategies have.
        """
        self._name = spec.strategy
        self._strategy = strategy
        self._spaces = {space.model: space for space in spec.models}
        try:
            self.lookahead_max = int(strategy.lookahead_max)
            self.is_slow = bool(strategy.is_slow)
        except Exception as error:  # somebody's properties
            raise ValueError(self._blame(error)) from error

    def ask(self, history: Ledger) -> Suggestion | None:
        """Suggest one more trial; see `Strategy`."""
        try:
            suggested = self._strategy.ask(history)
        except Exception as error:  # somebody's code
            raise StrategyError(self._blame(error)) from error
        if suggested is None:
            return None
        if not isinstance(suggested, Suggestion):
            rule = "ask must return a Suggestion or None"
            raise StrategyError(f"strategy {self._name}: {rule}, got {suggested!r:.80}")
        space = self._spaces.get(suggested.model)
        if space is None:
            raise StrategyError(
                f"strategy {self._name}: model must be one of {', '.join(self._spaces)}, "
                f"got {suggested.model!r:.80}"
            )
        try:
            space.check(suggested.params)
        except Exception as error:  # of whatever types the parameters are
            raise StrategyError(f"strategy {self._name}: {space.model}: {error}") from error
        return suggested

    def tell(self, entry: Entry) -> None:
        """Learn of an entry; see `Strategy`."""
        try:
            self._strategy.tell(entry)
        except Exception as error:  # somebody's code
            raise StrategyError(self._blame(error)) from error

    def stops(self, report: TrialReport, history: Ledger) -> bool:
        """Whether a trial is not worth going on with; see `Strategy`."""
        try:
            return bool(self._strategy.stops(report, history))
        except Exception as error:  # somebody's code
            raise StrategyError(self._blame(error)) from error

    def _blame(self, error: Exception) -> str:
        return f"strategy {self._name}: {type(error).__name__}: {error}"
