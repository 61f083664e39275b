"""Search spaces: the dimensions of each model; a dimension may depend on a condition."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from swarm.search.values import Params, Value, check_name, check_params, check_value

CATEGORICAL, INTEGER, FLOAT = KINDS = ("categorical", "integer", "float")
DIMENSIONS_MAX = 32
CHOICES_MAX = 256
INTEGER_MAX = 2**53
"""Whole numbers up to this bound are exact as floats, too."""
RELATIVE_TOLERANCE = 1e-9
STEP_TOLERANCE = 1e-6
"""As a share of a step; sums and logarithms of floats are not exact."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Limits a dimension to settings where an earlier categorical one has one of some values."""

    name: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        check_name("when", self.name)
        if not 1 <= len(self.values) <= CHOICES_MAX:
            raise ValueError(f"when.{self.name} must name 1 to {CHOICES_MAX} values")
        for value in self.values:
            check_value(f"when.{self.name}", value)

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether the values chosen so far fulfil it. Types count: 1 is neither True nor 1.0."""
        return self.name in values and any(_same(values[self.name], v) for v in self.values)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One hyperparameter that is searched."""

    name: str
    kind: str
    """`categorical`, `integer` or `float`."""
    choices: tuple[Value, ...] = ()
    """Categorical: the values, in the user's order."""
    low: float = 0.0
    """Numeric: the least value, inclusive."""
    high: float = 0.0
    """Numeric: the greatest value, inclusive."""
    step: float = 0.0
    """Numeric: distance between values, from `low` on; 0 allows any float, 1 any integer."""
    log: bool = False
    """Numeric: whether values are compared by ratio rather than by difference."""
    when: Condition | None = None

    def __post_init__(self) -> None:
        check_name("name", self.name)
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r:.80}")
        if self.kind == CATEGORICAL:
            self._check_choices()
        else:
            self._check_range()

    @property
    def size(self) -> int | None:
        """Number of values; None if it is infinite."""
        if self.kind == CATEGORICAL:
            return len(self.choices)
        if not self.step:
            return None
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def value_at(self, place: int) -> Value:
        """The value at this place, counted from 0; only for a dimension with a size."""
        if self.kind == CATEGORICAL:
            return self.choices[place]
        value = min(self.high, self.low + place * self.step)
        return int(value) if self.kind == INTEGER else value

    def check(self, value: Value) -> None:
        """Check that the dimension can have this value.

        Raises:
            ValueError: It cannot; the message has the value and the rule.
        """
        if self.kind == CATEGORICAL:
            if not any(_same(value, choice) for choice in self.choices):
                choices = ", ".join(map(repr, self.choices))
                raise ValueError(f"{self.name} must be one of {choices}, got {value!r:.80}")
            return
        is_number = isinstance(value, int if self.kind == INTEGER else int | float)
        if isinstance(value, bool) or not is_number:
            wanted = "a whole number" if self.kind == INTEGER else "a number"
            raise ValueError(f"{self.name} must be {wanted}, got {value!r:.80}")
        number = float(value)
        slack = RELATIVE_TOLERANCE * max(abs(self.low), abs(self.high))
        if not self.low - slack <= number <= self.high + slack:
            raise ValueError(
                f"{self.name} must be between {self.low:g} and {self.high:g}, got {value!r:.80}"
            )
        if self.step:
            steps = (number - self.low) / self.step
            if abs(steps - round(steps)) > STEP_TOLERANCE + slack / self.step:
                raise ValueError(
                    f"{self.name} must be {self.low:g} plus a multiple of {self.step:g}, "
                    f"got {value!r:.80}"
                )

    def _check_choices(self) -> None:
        if not 1 <= len(self.choices) <= CHOICES_MAX:
            raise ValueError(f"choices must be 1 to {CHOICES_MAX} values, got {len(self.choices)}")
        for place, value in enumerate(self.choices):
            check_value(f"choices[{place}]", value)
            if any(_same(value, other) for other in self.choices[:place]):
                raise ValueError(f"choices must be distinct, got {value!r} twice")
        if self.low or self.high or self.step or self.log:
            raise ValueError("a categorical dimension has choices only")

    def _check_range(self) -> None:
        if self.choices:
            raise ValueError("choices are for categorical dimensions only")
        numbers = (self.low, self.high, self.step)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"low, high and step must be finite, got {numbers}")
        if self.low > self.high:
            raise ValueError(f"low must be at most high, got {self.low} and {self.high}")
        if self.step < 0:
            raise ValueError(f"step must be at least 0, got {self.step}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be positive with log, got {self.low}")
        if self.kind == INTEGER:
            if not all(number == int(number) for number in numbers):
                raise ValueError(f"an integer's low, high and step must be whole, got {numbers}")
            if max(abs(self.low), abs(self.high)) > INTEGER_MAX or self.step < 1:
                raise ValueError(
                    f"an integer must be within 2**53, its step at least 1, got {self}"
                )
        if self.log and self.step not in (0, 1):
            raise ValueError(f"log goes with no step, got {self.step}")


@dataclass(frozen=True, slots=True)
class ModelSpace:
    """A model, its searched hyperparameters and its fixed ones."""

    model: str
    """A name of `swarm.search.catalog`, or `module:function`, which peers must allow."""
    dimensions: tuple[Dimension, ...] = ()
    """Each comes after the dimension that its condition names."""
    fixed: Params = ()

    def __post_init__(self) -> None:
        check_name("model", self.model)
        check_params("fixed", self.fixed)
        if len(self.dimensions) > DIMENSIONS_MAX:
            raise ValueError(f"a model must have at most {DIMENSIONS_MAX} dimensions")
        seen: dict[str, Dimension] = {}
        for dimension in self.dimensions:
            if dimension.name in seen or dimension.name in dict(self.fixed):
                raise ValueError(f"{dimension.name} must be given once")
            _check_condition(dimension, seen)
            seen[dimension.name] = dimension

    def active(self, values: Mapping[str, Value]) -> Iterator[Dimension]:
        """Dimensions that exist, given the values chosen before.

        The caller may add each dimension's value to `values` during the iteration.
        """
        for dimension in self.dimensions:
            if dimension.when is None or dimension.when.holds(values):
                yield dimension

    def check(self, params: Params) -> None:
        """Check that params are a setting of this space.

        Raises:
            ValueError: They are not; the message has the name, the value and the rule.
        """
        check_params("params", params)
        given = dict(params)
        wanted: dict[str, Value] = dict(self.fixed)
        for name, value in self.fixed:
            if name not in given or not _same(given[name], value):
                raise ValueError(f"{name} must be {value!r}, got {given.get(name)!r:.80}")
        for dimension in self.active(wanted):
            if dimension.name not in given:
                raise ValueError(f"{dimension.name} is missing")
            dimension.check(given[dimension.name])
            wanted[dimension.name] = given[dimension.name]
        if extra := sorted(given.keys() - wanted.keys()):
            raise ValueError(f"{extra[0]} must not be given")


def _check_condition(dimension: Dimension, seen: Mapping[str, Dimension]) -> None:
    condition = dimension.when
    if condition is None:
        return
    parent = seen.get(condition.name)
    if parent is None or parent.kind != CATEGORICAL:
        raise ValueError(
            f"{dimension.name}: when must name an earlier categorical dimension, "
            f"got {condition.name!r}"
        )
    for value in condition.values:
        if not any(_same(value, choice) for choice in parent.choices):
            raise ValueError(f"{dimension.name}: {value!r} is no choice of {parent.name}")


def _same(a: Value, b: Value) -> bool:
    return type(a) is type(b) and a == b
