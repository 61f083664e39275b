"""Random: independent draws; where a space is discrete, no setting twice."""

import math
import random
from itertools import islice

from swarm.search.settings_tree import SettingsTree
from swarm.search.space import CATEGORICAL, INTEGER, Dimension, ModelSpace
from swarm.search.strategies.strategy import Strategy, Suggestion, check_options, suggestion
from swarm.search.study import StudySpec
from swarm.search.study_ledger import StudyLedger
from swarm.search.values import Params, Value

DRAWS_MAX = 200
"""Draws for one suggestion. If none is new, the settings are tried by number instead."""


class RandomStrategy(Strategy):
    """Draws a model, then its hyperparameters; the k-th trial's draws depend on k only."""

    def __init__(self, spec: StudySpec) -> None:
        check_options(spec, {})
        self._spec = spec
        self._drawer = Drawer(spec)

    def ask(self, history: StudyLedger) -> Suggestion | None:
        """Suggest one more draw."""
        return self._drawer.draw(history)


class Drawer:
    """Draws settings that were not asked for before."""

    def __init__(self, spec: StudySpec) -> None:
        self._spec = spec
        self._sizes = {space.model: SettingsTree(space.dimensions).count for space in spec.models}
        self._tried: dict[str, set[Params]] = {space.model: set() for space in spec.models}
        self._num_seen = 0

    def draw(self, history: StudyLedger) -> Suggestion | None:
        """Draw a new setting; None if all settings of a discrete space were asked for."""
        self._catch_up(history)
        rest = [space for space in self._spec.models if not self._is_exhausted(space.model)]
        if not rest:
            return None
        chance = random.Random(f"{self._spec.seed}:{len(history.trials)}")  # noqa: S311 (replayable)
        for _ in range(DRAWS_MAX):
            space = chance.choice(rest)
            drawn = suggestion(self._spec, space.model, _values(space, chance))
            if drawn.params not in self._tried[space.model]:
                return drawn
        return self._any_left(chance, [s for s in rest if self._sizes[s.model] is not None])

    def _catch_up(self, history: StudyLedger) -> None:
        if len(history.trials) > self._num_seen:
            for trial in islice(history.trials.values(), self._num_seen, None):
                self._tried.setdefault(trial.model, set()).add(trial.params)
            self._num_seen = len(history.trials)

    def _is_exhausted(self, model: str) -> bool:
        size = self._sizes[model]
        return size is not None and len(self._tried[model]) >= size

    def _any_left(self, chance: random.Random, spaces: list[ModelSpace]) -> Suggestion | None:
        """The first setting that is new, from a random one on; at most as many steps as trials."""
        if not spaces:  # an infinite space whose draws repeat, as low == high makes one
            return None
        space = chance.choice(spaces)
        tree, size = SettingsTree(space.dimensions), self._sizes[space.model] or 1
        first = chance.randrange(size)
        for step in range(min(size, len(self._tried[space.model]) + 1)):
            setting = tree.at((first + step) % size)
            found = suggestion(self._spec, space.model, setting)
            if found.params not in self._tried[space.model]:
                return found
        return None


def _values(space: ModelSpace, chance: random.Random) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for dimension in space.active(values):
        values[dimension.name] = _value(dimension, chance)
    return values


def _value(dimension: Dimension, chance: random.Random) -> Value:
    if dimension.kind == CATEGORICAL:
        return chance.choice(dimension.choices)
    if dimension.log:
        low, high = dimension.low, dimension.high
        if dimension.kind == INTEGER:  # each whole number covers half a unit on both sides
            exact = math.exp(chance.uniform(math.log(low - 0.5), math.log(high + 0.5)))
            return int(min(high, max(low, round(exact))))
        return min(high, max(low, math.exp(chance.uniform(math.log(low), math.log(high)))))
    if dimension.size is not None:
        return dimension.value_at(chance.randrange(dimension.size))
    return chance.uniform(dimension.low, dimension.high)
