"""GuardedStrategy: wraps a user's strategy; its exceptions become StrategyError."""

from collections.abc import Callable
from typing import Any, TypeVar

from swarm.core.errors import StrategyError
from swarm.search.strategies.strategy import Strategy, Suggestion
from swarm.search.study import StudySpec
from swarm.search.study_ledger import Entry, StudyLedger
from swarm.search.trial import TrialReport
from swarm.search.values import Params

T = TypeVar("T")


class GuardedStrategy(Strategy):
    """Raises `StrategyError` if the code raises anything, or suggests a setting not in the space.

    A study's code must not end a peer: the next coordinator would run the same code and end too.
    """

    def __init__(self, make: Callable[[StudySpec], Strategy], spec: StudySpec) -> None:
        """Make and wrap a strategy.

        Raises:
            StrategyError: It cannot be made, or lacks an attribute of strategies.
        """
        self._name = spec.strategy
        self._spaces = {space.model: space for space in spec.models}
        self._strategy = strategy = self._guard(make, spec)
        self.lookahead_max = self._guard(lambda: int(strategy.lookahead_max))
        self.is_slow = self._guard(lambda: bool(strategy.is_slow))

    def ask(self, history: StudyLedger) -> Suggestion | None:
        """Suggest one more trial; see `Strategy`."""
        return self._guard(lambda: self._checked(self._strategy.ask(history)))

    def tell(self, entry: Entry) -> None:
        """Learn of an entry; see `Strategy`."""
        self._guard(self._strategy.tell, entry)

    def stops(self, report: TrialReport, history: StudyLedger) -> bool:
        """Whether to stop a trial; see `Strategy`."""
        return self._guard(lambda: bool(self._strategy.stops(report, history)))

    def _guard(self, call: Callable[..., T], *args: Any) -> T:
        try:
            return call(*args)
        except (Exception, SystemExit) as error:  # a user's code may raise anything
            raise StrategyError(f"strategy {self._name}: {_words(error)}") from error

    def _checked(self, suggested: Suggestion | None) -> Suggestion | None:
        """Check a suggestion and rebuild it from our own types."""
        if suggested is None:
            return None
        if not isinstance(suggested, Suggestion):
            raise TypeError(f"ask must return a Suggestion or None, got {suggested!r:.80}")
        params: Params = tuple((str(name), value) for name, value in suggested.params)
        space = self._spaces.get(str(suggested.model))
        if space is None:
            models = ", ".join(self._spaces)
            raise ValueError(f"model must be one of {models}, got {suggested.model!r:.80}")
        space.check(params)
        return Suggestion(space.model, params)


def _words(error: BaseException) -> str:
    """One line on an error; its own text may raise, or may not be encodable."""
    try:
        text = " ".join(str(error).split()).encode("utf-8", "replace").decode()
    except Exception as worse:  # from a user's __str__
        text = f"no text ({type(worse).__name__})"
    return f"{type(error).__name__}: {text}"
