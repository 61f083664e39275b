"""GuardedStrategy: somebody's strategy; whatever its code does becomes one kind of error."""

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
    """Raises `StrategyError` where the code raises anything, or suggests what is not in the space.

    A peer must not end because of code that a study brings: the next one would take over, and end.
    """

    def __init__(self, make: Callable[[StudySpec], Strategy], spec: StudySpec) -> None:
        """Make and wrap a strategy.

        Raises:
            StrategyError: It cannot be made, or has not what strategies have.
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
        """Whether a trial is not worth going on with; see `Strategy`."""
        return self._guard(lambda: bool(self._strategy.stops(report, history)))

    def _guard(self, call: Callable[..., T], *args: Any) -> T:
        try:
            return call(*args)
        except (Exception, SystemExit) as error:  # somebody's code
            raise StrategyError(f"strategy {self._name}: {_words(error)}") from error

    def _checked(self, suggested: Suggestion | None) -> Suggestion | None:
        """What was suggested, made of our own types only."""
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
    """One line on an error, whose own words may fail or not be text that can be sent."""
    try:
        text = " ".join(str(error).split()).encode("utf-8", "replace").decode()
    except Exception as worse:  # somebody's __str__
        text = f"its text cannot be had ({type(worse).__name__})"
    return f"{type(error).__name__}: {text}"
