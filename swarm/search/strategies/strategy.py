"""Strategy: suggests what to try next; a pure function of the study and the ledger's entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from swarm.search.study import StudySpec
from swarm.search.study_ledger import Entry, StudyLedger
from swarm.search.trial import TrialReport
from swarm.search.values import Params, Value, make_params


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A setting for a trial."""

    model: str
    params: Params
    """The searched hyperparameters and the fixed ones."""


class Strategy(Protocol):
    """Suggests trials. The same study and the same entries give the same suggestions.

    A coordinator that takes over makes a new strategy and tells it the ledger, entry by entry.
    A subclass needs only `ask`: by default a strategy learns nothing and stops no trial.
    """

    lookahead_max: int = 1000
    """Most trials per slot worth asking for before the results of earlier ones are known."""

    is_slow: bool = False
    """Whether asking takes milliseconds rather than microseconds."""

    def ask(self, history: StudyLedger) -> Suggestion | None:
        """Suggest one more trial; None if the space has no more."""
        ...

    def tell(self, entry: Entry) -> None:
        """Learn an entry of the ledger. Each entry is told once, in order."""

    def stops(self, report: TrialReport, history: StudyLedger) -> bool:
        """Whether to stop a trial after this report, which was just told."""
        return False


def check_options(spec: StudySpec, known: Mapping[str, tuple[float, float]]) -> None:
    """Check that a strategy's options are known numbers within their ranges.

    Raises:
        ValueError: One is unknown or out of its range.
    """
    for name, value in spec.strategy_options:
        if name not in known:
            has = ", ".join(known) or "no options"
            raise ValueError(f"strategy.{name}: unknown; {spec.strategy} has {has}")
        low, high = known[name]
        if isinstance(value, bool | str) or not low <= value <= high:
            raise ValueError(f"strategy.{name} must be in [{low}, {high}], got {value!r}")


def suggestion(spec: StudySpec, model: str, chosen: Mapping[str, Value]) -> Suggestion:
    """Make a suggestion of the chosen values and those that the study fixes."""
    return Suggestion(model, make_params({**dict(spec.space(model).fixed), **chosen}))
