"""measure_drift(): whether a member's new rows differ from those that its model was fitted on.

ADWIN (Bifet and Gavalda 2007) reads a series, first of rows at the fit, then of new rows. It cuts
the series where the means of both parts differ more than its bound for the confidence `delta`
allows. One series has the model's errors; each numeric column has a series too.

A detector says yes or no. To show how near a drift is, each series is read by detectors of
several strictness levels: level L has delta = 10^-L. The value is the strictest level at which a
change was found; drift is said when it exceeds the threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN

from swarm.ensemble.records import NO_DRIFT, TEXT_LENGTH_MAX, Drift

THRESHOLD = 2.0
"""Drift is said at a stricter level than this. ADWIN's bound is cautious: of 37 columns of House
Prices, split at random, none exceeded level 1 in 120 splits."""
LEVELS = tuple(range(1, 13))
ROWS_MAX = 4_000
"""Rows at the fit, and new rows, that are read; of more, a sample of the first and the last of
the second."""
ROWS_MIN = 16
"""Fewer new rows, or fewer rows at the fit, say nothing."""
_CLOCK = 8
"""ADWIN looks for a change after each this many rows; its default of 32 suits longer series."""
_CLIP = (0.01, 0.99)
"""Quantiles at the fit between which values count: ADWIN expects values in [0, 1]."""
ERRORS = "errors"


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of one kind: at the fit, and of new rows, in the order in which they came."""

    name: str
    before: NDArray[np.float64]
    after: NDArray[np.float64]


def measure_drift(series: Sequence[Series], threshold: float = THRESHOLD, seed: int = 0) -> Drift:
    """Compare new rows with those of the fit.

    Args:
        series: The model's errors (`ERRORS`), and numeric columns. NaN are left out. New rows of
            one file should be in random order, because files are often sorted.
        threshold: Level above which drift is said.
        seed: Of the order of the rows at the fit.

    Returns:
        Value and threshold as levels, and the series that drifts most; `NO_DRIFT` if there are
        too few rows of every series.
    """
    levels = {one.name: _level(one, seed) for one in series}
    known = {name: level for name, level in levels.items() if level is not None}
    if not known:
        return NO_DRIFT
    worst = max(known, key=lambda name: known[name])
    value = float(known[worst])
    detail = ""
    if value > 0:
        detail = _in_words(next(one for one in series if one.name == worst))
    return Drift(value, threshold, detail[:TEXT_LENGTH_MAX])


def numeric_series(
    before: Mapping[str, NDArray[np.float64]], after: Mapping[str, NDArray[np.float64]]
) -> list[Series]:
    """Make a series of each column that both have, by its name."""
    return [Series(name, before[name], after[name]) for name in before if name in after]


def _level(series: Series, seed: int) -> int | None:
    """The strictest level at which ADWIN found a change among new rows; None for too few rows."""
    before = series.before[np.isfinite(series.before)]
    after = series.after[np.isfinite(series.after)][-ROWS_MAX:]
    if min(len(before), len(after)) < ROWS_MIN:
        return None
    before = np.random.default_rng(seed).permutation(before)[:ROWS_MAX]
    low, high = np.quantile(before, _CLIP)
    if not high > low:
        low, high = low - 0.5, low + 0.5
    scaled = np.clip((np.concatenate([before, after]) - low) / (high - low), 0, 1).tolist()
    found = 0
    for level in LEVELS:
        if not _changes(scaled, len(before), level):
            break
        found = level
    return found


def _changes(values: list[float], num_before: int, level: int) -> bool:
    detector: Any = ADWIN(delta=10.0**-level, clock=_CLOCK)  # type: ignore[no-untyped-call]
    for value in values[:num_before]:
        detector.update(value)
    for value in values[num_before:]:
        detector.update(value)
        if detector.drift_detected:
            return True
    return False


def _in_words(series: Series) -> str:
    before, after = (part[np.isfinite(part)] for part in (series.before, series.after))
    what = "the model's errors" if series.name == ERRORS else f"column {series.name!r:.120}"
    return (
        f"{what}: mean {before.mean():.6g} at the fit, {after.mean():.6g} in {len(after):,} "
        "new rows"
    )
