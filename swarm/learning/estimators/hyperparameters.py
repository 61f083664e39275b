"""Declarations of hyperparameters, so that a wrong value is refused by name."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from swarm.core.errors import ConfigurationError

Value = bool | int | float | str
"""What a hyperparameter can be set to."""
EPOCHS_MAX = 512
"""Most epochs that an estimator trains; `swarm.search.study` has the same bound."""


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer within bounds, both included.

    Example:
        >>> Integer("n_neighbors", 1).fault(0)
        'must be an integer of at least 1'
    """

    name: str
    minimum: int
    maximum: int | None = None

    def fault(self, value: object) -> str | None:
        """The rule that a value breaks, as in "must be at least 1"; None if it breaks none."""
        most = math.inf if self.maximum is None else self.maximum
        if type(value) is int and self.minimum <= value <= most:
            return None
        if self.maximum is None:
            return f"must be an integer of at least {self.minimum}"
        return f"must be an integer in {self.minimum}..{self.maximum}"


@dataclass(frozen=True, slots=True)
class Real:
    """A finite number within bounds, or one of a few words.

    Example:
        >>> Real("C", 0.0, above=True).fault(0)
        'must be a number above 0'
        >>> Real("gamma", 0.0, above=True, words=("scale", "auto")).fault("scale")
    """

    name: str
    minimum: float
    maximum: float = math.inf
    above: bool = False
    """Whether the minimum itself is excluded."""
    words: tuple[str, ...] = ()

    def fault(self, value: object) -> str | None:
        """See `Integer.fault`."""
        if isinstance(value, str) and value in self.words:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            enough = value > self.minimum if self.above else value >= self.minimum
            if enough and value <= self.maximum:
                return None
        bound = f"{'above' if self.above else 'of at least'} {self.minimum:g}"
        if self.maximum < math.inf:
            bound += f" and at most {self.maximum:g}"
        return " or ".join([f"must be a number {bound}", *map(repr, self.words)])


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values.

    Example:
        >>> Choice("weights", ("uniform", "distance")).fault("far")
        "must be one of 'uniform', 'distance'"
    """

    name: str
    options: tuple[Value, ...]

    def fault(self, value: object) -> str | None:
        """See `Integer.fault`; 1 does not count as True."""
        if any(type(value) is type(option) and value == option for option in self.options):
            return None
        return f"must be one of {', '.join(map(repr, self.options))}"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of hidden layers: one integer, or several as in "64-32".

    Example:
        >>> Sizes("hidden_layer_sizes").read("64-32"), Sizes("hidden_layer_sizes").read(8)
        ((64, 32), (8,))
    """

    name: str

    def fault(self, value: object) -> str | None:
        """See `Integer.fault`."""
        whole = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 99_999
        if whole or (isinstance(value, str) and _SIZES.fullmatch(value)):
            return None
        return 'must be the size of one layer, or of up to ten as in "64-32", each in 1..99999'

    def read(self, value: Value) -> tuple[int, ...]:
        """The sizes in a valid value."""
        return tuple(int(size) for size in str(value).split("-"))


_SIZES = re.compile(r"[1-9]\d{0,4}(-[1-9]\d{0,4}){0,9}")

Hyperparameter = Integer | Real | Choice | Sizes
"""One hyperparameter of a model family."""


def check_params(
    model: str, declared: Iterable[Hyperparameter], params: Mapping[str, object]
) -> None:
    """Check that every value belongs to a declared hyperparameter and breaks no rule.

    Raises:
        ConfigurationError: A value does; the message begins with its path in a study file.
    """
    by_name = {hyperparameter.name: hyperparameter for hyperparameter in declared}
    for name, value in params.items():
        if name not in by_name:
            close = get_close_matches(str(name), by_name, n=1)
            meant = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigurationError(
                f"models.{model} has no hyperparameter {name!r}{meant}; "
                f"it has {', '.join(by_name)}"
            )
        if rule := by_name[name].fault(value):
            raise ConfigurationError(f"models.{model}.{name} {rule}, got {value!r:.100}")
