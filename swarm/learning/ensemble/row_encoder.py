"""RowEncoder: the first step of a model's pipeline, from cells to numbers by a member's own rows.

Each member learns it from its own rows: medians, scales, which categories are frequent. So no
two members need the same categories, and a category that a member has not seen is none of its own.
Its whole state is numbers and texts, so that a model file carries it and a reader can check it.
"""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from swarm.core.columns import CATEGORIES_MAX
from swarm.learning.ensemble.row_tables import CodedTable, CodedTexts

FREQUENT_MIN = 2
"""Rows that a category needs for a feature of its own."""
RARE = 3.0
"""Distance of a text that is not frequent, in standard deviations."""
REACH = 0.99
"""Share of a member's own rows within its reach."""
CLIP = 10.0
"""Scaled numbers reach no further than this many standard deviations."""


class RowEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no types in sklearn
    """Turns rows into float64 of shape (n, features).

    A missing number becomes the median, and one more feature says so where a member's own rows
    have gaps. A category becomes one feature for each frequent text, and one for missing.
    Rows that are arrays are flattened.
    """

    def __init__(self, *, scale: bool = False) -> None:
        self.scale = scale

    def fit(self, x: Any, y: Any = None) -> "RowEncoder":
        """Learn from own rows: see `swarm.learning.ensemble.row_tables.Rows`."""
        table = CodedTable.of_rows(x)
        self.names_ = [*table.number_names, *table.text_names]
        present = ~np.isnan(table.numbers)
        self.medians_ = np.array(
            [
                np.median(column[known]) if known.any() else 0.0
                for column, known in zip(table.numbers.T, present.T, strict=True)
            ],
            np.float64,
        )
        # A column that is missing in all rows says nothing here.
        self.gaps_ = np.flatnonzero(~present.all(axis=0) & present.any(axis=0))
        self.categories_ = [_frequent(column) for column in table.texts]
        raw = self._features(table)
        self.means_ = raw.mean(axis=0)
        deviations = raw.std(axis=0)
        self.scales_ = np.where(deviations > np.finfo(np.float64).tiny, deviations, 1.0)
        self.reach_ = float(np.quantile(self.distances(table), REACH))
        return self

    def transform(self, x: Any) -> NDArray[np.float64]:
        """Encode rows of the same columns."""
        features = self._features(CodedTable.of_rows(x))
        if not self.scale:
            return features
        scaled: NDArray[np.float64] = np.clip((features - self.means_) / self.scales_, -CLIP, CLIP)
        return scaled

    def distances(self, x: Any) -> NDArray[np.float64]:
        """How far rows are from the middle of own rows, shape (n,).

        Root mean square over the columns: standard deviations of a number, `RARE` for a text that
        is not frequent here. What is missing is not far.
        """
        table = CodedTable.of_rows(x)
        width = table.numbers.shape[1]
        scaled = (table.numbers - self.means_[:width]) / self.scales_[:width]
        squares = np.square(np.clip(np.nan_to_num(scaled, nan=0.0), -CLIP, CLIP)).sum(axis=1)
        for column, categories in zip(table.texts, self.categories_, strict=True):
            known = {*categories, ""}
            far = [0.0 if text in known else RARE**2 for text in (*column.known, "")]
            squares += np.array(far)[column.places]
        distances: NDArray[np.float64] = np.sqrt(squares / max(1, width + len(table.texts)))
        return distances

    @property
    def num_features(self) -> int:
        """Features that `transform` gives."""
        return len(self.medians_) + len(self.gaps_) + sum(map(len, self.categories_))

    def _features(self, table: CodedTable) -> NDArray[np.float64]:
        missing = np.isnan(table.numbers)
        width = table.numbers.shape[1]
        start = width + len(self.gaps_)
        features = np.zeros((len(missing), self.num_features))
        features[:, :width] = np.where(missing, self.medians_, table.numbers)
        features[:, width:start] = missing[:, self.gaps_]
        for column, categories in zip(table.texts, self.categories_, strict=True):
            places = {text: start + place for place, text in enumerate(categories)}
            # One more at the end, for missing: its place is -1.
            found = np.array([places.get(text, -1) for text in (*column.known, "")])
            targets = found[column.places]
            rows = np.flatnonzero(targets >= 0)
            features[rows, targets[rows]] = 1.0
            start += len(categories)
        return features


def _frequent(column: CodedTexts) -> list[str]:
    """The most frequent texts, sorted; an empty one stands for missing."""
    found = np.bincount(column.places + 1, minlength=len(column.known) + 1)
    counts = Counter(dict(zip(column.known, found[1:].tolist(), strict=True)))
    counts[""] += int(found[0])
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    return sorted(text for text in ranked[:CATEGORIES_MAX] if counts[text] >= FREQUENT_MIN)
