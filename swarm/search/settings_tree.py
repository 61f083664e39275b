"""SettingsTree: counts the settings of a space and finds each by its number, listing none.

Conditions make trees of a space's dimensions. Settings of different trees multiply, those behind
different values of one dimension add up. So both take one step for each value of each dimension,
however many settings there are: three kinds in each of 28 layers make 10^35 settings.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from swarm.search.space import Dimension
from swarm.search.values import Value


class SettingsTree:
    """The settings of some dimensions, each after the one that its condition names."""

    def __init__(
        self,
        dimensions: Sequence[Dimension],
        sizes: Mapping[str, int | None] | None = None,
    ) -> None:
        """Count the settings.

        Args:
            dimensions: The dimensions of a model.
            sizes: Numbers of values that replace the dimensions' own, by name.
        """
        self._dimensions = dimensions
        self._sizes = {d.name: d.size for d in dimensions} | dict(sizes or {})
        self._parents = {d.when.name for d in dimensions if d.when is not None}
        self._counts: dict[str, int | None] = {}
        for dimension in reversed(dimensions):  # those behind it come later: they are counted
            self._counts[dimension.name] = self._count(dimension)
        self._roots = [d for d in dimensions if d.when is None]

    @property
    def count(self) -> int | None:
        """Number of distinct settings; None if it is infinite."""
        return self._product(self._roots)

    def at(self, place: int) -> dict[str, Value]:
        """The setting at a place, counted from 0; only if the number of settings is finite."""
        values: dict[str, Value] = {}
        self._fill(self._roots, place, values)
        return {d.name: values[d.name] for d in self._dimensions if d.name in values}

    def _count(self, dimension: Dimension) -> int | None:
        if dimension.name not in self._parents:
            return self._sizes[dimension.name]
        behind = [self._product(self._behind(dimension, v)) for v in dimension.choices]
        known = [count for count in behind if count is not None]
        return sum(known) if len(known) == len(behind) else None

    def _behind(self, dimension: Dimension, value: Value) -> list[Dimension]:
        """The dimensions that exist because this one has this value."""
        chosen = {dimension.name: value}
        return [d for d in self._dimensions if d.when is not None and d.when.holds(chosen)]

    def _product(self, dimensions: Iterable[Dimension]) -> int | None:
        counts = [self._counts[dimension.name] for dimension in dimensions]
        known = [count for count in counts if count is not None]
        return math.prod(known) if len(known) == len(counts) else None

    def _fill(self, dimensions: Iterable[Dimension], place: int, values: dict[str, Value]) -> None:
        for dimension in dimensions:
            place, own = divmod(place, self._counts[dimension.name] or 1)
            if dimension.name not in self._parents:
                values[dimension.name] = dimension.value_at(own)
                continue
            for value in dimension.choices:
                behind = self._behind(dimension, value)
                count = self._product(behind) or 1
                if own < count:
                    values[dimension.name] = value
                    self._fill(behind, own, values)
                    break
                own -= count
