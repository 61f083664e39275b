"""RowEncoder: the first step of a model's pipeline, from cells to numbers by a member's own rows.

Each member learns it from its own rows: medians, scales, which categories are frequent. So no
two members need the same categories, and a category that a member has not seen is none of its own.
Its whole state is numbers and texts, so that a model file carries it and a reader can check it.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from swarm.core.columns import CATEGORIES_MAX

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
        """Learn from own rows: see `swarm.learning.ensemble.payloads.Rows`."""
        numbers, texts, names = _split(x)
        self.names_ = names
        present = ~np.isnan(numbers)
        self.medians_ = np.array(
            [
                np.median(column[known]) if known.any() else 0.0
                for column, known in zip(numbers.T, present.T, strict=True)
            ],
            np.float64,
        )
        # A column that is missing in all rows says nothing here.
        self.gaps_ = np.flatnonzero(~present.all(axis=0) & present.any(axis=0))
        self.categories_ = [_frequent(column) for column in texts]
        raw = self._features(numbers, texts)
        self.means_ = raw.mean(axis=0)
        deviations = raw.std(axis=0)
        self.scales_ = np.where(deviations > np.finfo(np.float64).tiny, deviations, 1.0)
        self.reach_ = float(np.quantile(self.distances(x), REACH))
        return self

    def transform(self, x: Any) -> NDArray[np.float64]:
        """Encode rows of the same columns."""
        numbers, texts, _ = _split(x)
        features = self._features(numbers, texts)
        return self.scaled(features) if self.scale else features

    def scaled(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Features in standard deviations from their means, clipped."""
        clipped: NDArray[np.float64] = np.clip(
            (features - self.means_) / self.scales_, -CLIP, CLIP
        )
        return clipped

    def distances(self, x: Any) -> NDArray[np.float64]:
        """How far rows are from the middle of own rows, shape (n,).

        Root mean square over the columns: standard deviations of a number, `RARE` for a text that
        is not frequent here. What is missing is not far.
        """
        numbers, texts, _ = _split(x)
        width = numbers.shape[1]
        scaled = (numbers - self.means_[:width]) / self.scales_[:width]
        squares = np.square(np.clip(np.nan_to_num(scaled, nan=0.0), -CLIP, CLIP)).sum(axis=1)
        for column, categories in zip(texts, self.categories_, strict=True):
            known = {*categories, ""}
            squares += [0.0 if (text or "") in known else RARE**2 for text in column]
        distances: NDArray[np.float64] = np.sqrt(squares / max(1, width + len(texts)))
        return distances

    @property
    def num_features(self) -> int:
        """Features that `transform` gives."""
        return len(self.medians_) + len(self.gaps_) + sum(map(len, self.categories_))

    def _features(
        self, numbers: NDArray[np.float64], texts: list[list[str | None]]
    ) -> NDArray[np.float64]:
        missing = np.isnan(numbers)
        filled = np.where(missing, self.medians_, numbers)
        features = np.zeros((len(numbers), self.num_features))
        first = filled.shape[1]
        features[:, :first] = filled
        features[:, first : first + len(self.gaps_)] = missing[:, self.gaps_]
        start = first + len(self.gaps_)
        for column, categories in zip(texts, self.categories_, strict=True):
            places = {text: start + place for place, text in enumerate(categories)}
            found = [places.get(text or "", -1) for text in column]
            rows = np.flatnonzero(np.array(found) >= 0)
            features[rows, np.array(found)[rows]] = 1.0
            start += len(categories)
        return features


def _split(x: Any) -> tuple[NDArray[np.float64], list[list[str | None]], list[str]]:
    """Numbers of shape (n, k), texts by column, and the columns' names, numbers first."""
    if not isinstance(x, pd.DataFrame):
        return np.asarray(x, np.float64).reshape(len(x), -1), [], []
    numbers, texts, names, named = [], [], [], []
    for name in x.columns:
        values = x[name].to_numpy()
        if values.dtype == object:
            texts.append(values.tolist())
            named.append(str(name))
        else:
            numbers.append(values)
            names.append(str(name))
    stacked = np.stack(numbers, axis=1) if numbers else np.zeros((len(x), 0))
    return stacked.astype(np.float64, copy=False), texts, [*names, *named]


def _frequent(texts: list[str | None]) -> list[str]:
    """The most frequent texts, sorted; an empty one stands for missing."""
    found, counts = np.unique(
        np.array([text or "" for text in texts], np.str_), return_counts=True
    )
    ranked = sorted(zip(-counts, map(str, found), strict=True))
    return sorted(text for count, text in ranked[:CATEGORIES_MAX] if -count >= FREQUENT_MIN)
