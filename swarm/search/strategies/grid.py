"""Grid: every setting once, in the study file's order; the last hyperparameter varies first."""

import math
from collections.abc import Iterator
from itertools import islice

from swarm.search.settings_tree import SettingsTree
from swarm.search.space import FLOAT, INTEGER, Dimension
from swarm.search.strategies.strategy import Strategy, Suggestion, check_options, suggestion
from swarm.search.study import StudySpec
from swarm.search.study_ledger import StudyLedger
from swarm.search.values import Params, Value

GRID_MAX = 100_000
POINTS_MAX = 1000
DIGITS = 12
"""Significant digits of a computed value."""


class GridStrategy(Strategy):
    """Suggests the first setting that was not asked for yet.

    Option `points`: number of evenly spaced values of a numeric dimension without a step.
    """

    def __init__(self, spec: StudySpec) -> None:
        check_options(spec, {"points": (2, POINTS_MAX)})
        self._spec = spec
        self._points = int(spec.options.get("points", 0))
        self._axes = {
            space.model: {d.name: self._axis(space.model, d) for d in space.dimensions}
            for space in spec.models
        }
        self._check_size()
        self._rest = list(self._settings())[::-1]
        self._asked: set[tuple[str, Params]] = set()
        self._num_seen = 0

    def ask(self, history: StudyLedger) -> Suggestion | None:
        """Suggest the next setting."""
        for trial in islice(history.trials.values(), self._num_seen, None):
            self._asked.add((trial.model, trial.params))
        self._num_seen = len(history.trials)
        while self._rest and (self._rest[-1].model, self._rest[-1].params) in self._asked:
            self._rest.pop()
        return self._rest[-1] if self._rest else None

    def _axis(self, model: str, dimension: Dimension) -> list[Value]:
        size = dimension.size
        if size is None or (dimension.log and self._points):
            if not self._points:
                raise ValueError(
                    f"models.{model}.{dimension.name}: a grid needs a step or choices here, "
                    "or strategy.points"
                )
            return _spread(dimension, self._points)
        if size > GRID_MAX:
            raise ValueError(
                f"models.{model}.{dimension.name}: a grid of {size} values is too big"
            )
        values = [dimension.value_at(place) for place in range(size)]
        if dimension.kind != FLOAT:
            return values
        rounded = [_rounded(dimension, value) for value in values]
        return rounded if len(set(rounded)) == size else values

    def _check_size(self) -> None:
        count = sum(
            SettingsTree(
                space.dimensions,
                {name: len(axis) for name, axis in self._axes[space.model].items()},
            ).count
            or 0
            for space in self._spec.models
        )
        if count > GRID_MAX:
            raise ValueError(
                f"models: a grid may have at most {GRID_MAX} settings, these are {count}"
            )

    def _settings(self) -> Iterator[Suggestion]:
        for space in self._spec.models:
            for chosen in self._product(space.model, 0, {}):
                yield suggestion(self._spec, space.model, chosen)

    def _product(
        self, model: str, place: int, chosen: dict[str, Value]
    ) -> Iterator[dict[str, Value]]:
        dimensions = self._spec.space(model).dimensions
        if place == len(dimensions):
            yield chosen
            return
        dimension = dimensions[place]
        if dimension.when is not None and not dimension.when.holds(chosen):
            yield from self._product(model, place + 1, chosen)
            return
        for value in self._axes[model][dimension.name]:
            yield from self._product(model, place + 1, {**chosen, dimension.name: value})


def _spread(dimension: Dimension, points: int) -> list[Value]:
    """Values from low to high at equal distances, or at equal ratios if `log` is set."""
    low, high = dimension.low, dimension.high
    shares = [place / (points - 1) for place in range(points)]
    if dimension.log:
        floats = [low * math.exp(share * math.log(high / low)) for share in shares]
    else:
        floats = [low + share * (high - low) for share in shares]
    floats[-1] = high
    if dimension.kind == INTEGER:
        return list(dict.fromkeys(round(value) for value in floats))
    return list(dict.fromkeys(_rounded(dimension, value) for value in floats))


def _rounded(dimension: Dimension, value: Value) -> Value:
    """Round off the last digits, which are arithmetic noise; keep bounds as they were given.

    Example:
        >>> _rounded(Dimension("C", "float", low=3.0, high=4.0), 3.0999999999999996)
        3.1
    """
    if not isinstance(value, float) or value in (dimension.low, dimension.high):
        return value
    rounded = float(f"{value:.{DIGITS}g}")
    return min(dimension.high, max(dimension.low, rounded))
