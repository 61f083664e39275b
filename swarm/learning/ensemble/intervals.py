"""Intervals with stated coverage, from the members' summaries of residuals.

Split conformal prediction: an interval reaches as far as the errors of the combined prediction on
validation rows did. It holds for new rows that come like all members' validation rows together.
Source: Vovk et al. 2005; Lei et al. 2018, arXiv:1604.04173; for probabilities Sadinle et al.
2019, arXiv:1609.00451. Summaries of several owners: Lu et al. 2023, arXiv:2305.17564.
"""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from swarm.core.ids import Digest
from swarm.ensemble.records import QUANTILES, Residuals
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import Floats
from swarm.learning.ensemble.standing import CLAIM_FACTOR

_BISECTIONS = 60
"""Halvings of a float64's range of interest until nothing changes."""


def summarise_residuals(
    spec: EnsembleSpec,
    rule: str,
    versions: Sequence[Digest],
    blended: Floats,
    truth: Floats,
) -> Residuals | None:
    """Summarise the combined prediction's errors on one member's validation rows.

    Args:
        spec: The ensemble.
        rule: The combination.
        versions: Models that were combined.
        blended: Combined answers on the scale of the transform, shape (n, outputs).
        truth: Shape (n,): targets on that scale, or indices of classes.

    Returns:
        None if no row has a combined answer.
    """
    if spec.classes:
        errors = 1 - blended[np.arange(len(blended)), truth.astype(np.intp)]
    else:
        errors = np.abs(blended[:, 0] - truth)
    errors = errors[np.isfinite(errors)]
    if not len(errors):
        return None
    quantiles = np.quantile(np.maximum(errors, 0), np.linspace(0, 1, QUANTILES))
    return Residuals(
        combination=rule,
        versions=tuple(versions),
        quantiles=tuple(float(x) for x in np.maximum.accumulate(quantiles)),
        num_rows=len(errors),
    )


def margin_of(
    summaries: Iterable[Residuals], rule: str, versions: Sequence[Digest], coverage: float
) -> tuple[float | None, tuple[str, ...]]:
    """How far an interval reaches to both sides, and what is uncertain about that, in words.

    Args:
        summaries: Of all members that have one.
        rule: The combination in use.
        versions: Models that answered.
        coverage: Share of rows whose truth the interval is to contain, in (0, 1).

    Returns:
        A number on the scale of the transform; None if the summaries say nothing.
    """
    fitting = tuple(each for each in summaries if each.combination == rule)
    if not fitting:
        return None, ("no interval: no member has shared residuals of this combination",)
    margin = merged_quantile(fitting, coverage)
    if margin is None:
        num_rows = sum(each.num_rows for each in fitting)
        return None, (
            f"no interval: {num_rows} validation rows are too few for {coverage:.4g} coverage",
        )
    others = sum(set(each.versions) != set(versions) for each in fitting)
    if others:
        return margin, (
            f"{others} of {len(fitting)} summaries of residuals are of other models than those "
            f"that answered: the coverage is approximate",
        )
    return margin, ()


@lru_cache(maxsize=256)
def merged_quantile(summaries: tuple[Residuals, ...], coverage: float) -> float | None:
    """The conformal quantile of all members' residuals together, in proportion to rows.

    The level is ceil((n + 1) coverage) / n for n rows, the finite-sample correction. A summary
    counts as a density that is constant between two of its quantiles.

    Returns:
        None if n is too small for this coverage.
    """
    cap = CLAIM_FACTOR * float(np.median([each.num_rows for each in summaries]))
    weights = np.array([min(each.num_rows, cap) for each in summaries])
    num_rows = float(weights.sum())
    level = math.ceil((num_rows + 1) * coverage) / num_rows
    if level > 1:
        return None
    quantiles = np.array([each.quantiles for each in summaries])  # (m, QUANTILES)
    low, high = quantiles[:, :-1], quantiles[:, 1:]
    width = np.maximum(high - low, 1e-300)
    left, right = float(quantiles.min()), float(quantiles.max())
    for _ in range(_BISECTIONS):
        middle = (left + right) / 2
        share = np.where(middle >= high, 1.0, np.clip((middle - low) / width, 0, 1)).mean(axis=1)
        if float(weights @ share) / num_rows >= level:
            right = middle
        else:
            left = middle
    return right
