"""standings(): what the cross-validation matrix says of each model."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from swarm.core.ids import Digest, PeerId
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import Score

CLAIM_FACTOR = 2.0
"""A member's number of rows counts up to this multiple of the median claim: bounded influence."""
OUTLIER_FACTOR = 10.0
"""A loss counts up to this multiple of the median loss that scorers found for the model.

So does a base loss, up to this multiple of the median of all models' scores.
"""
_OUTLIERS_FROM = 3
"""Scorers that it takes to call one of them an outlier."""

Model = tuple[PeerId, Digest]
"""Owner and version."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How good one model is on the rows of all members that scored it."""

    loss: float
    """Mean loss over the scorers' rows; NaN if no member scored it."""
    relative: float
    """The loss as a share of the base loss; 1 is as bad as a constant. NaN if not scored."""
    num_rows: float
    """Rows that it was scored on, as far as they count."""
    is_confirmed: bool
    """Whether another member than its owner scored it."""
    stays_home: bool


def standings(
    models: Sequence[Model], scores: Iterable[Score], at_home: Collection[Digest] = ()
) -> list[Standing]:
    """Pool all members' scores of each model, in proportion to rows.

    The share of the base loss makes models comparable that were scored by different members.
    One scorer's influence is bounded, by `CLAIM_FACTOR` and `OUTLIER_FACTOR`. An owner's word does
    not count once another member has scored the model.

    Args:
        models: Owners and versions.
        scores: Of all members; see `swarm.ensemble.score_matrix`.
        at_home: Versions that do not travel.
    """
    by_model: dict[Model, list[Score]] = {model: [] for model in models}
    for score in scores:
        by_model.get((score.owner, score.version), []).append(score)
    by_model = {model: _counting(scored) for model, scored in by_model.items()}
    every = [score for scored in by_model.values() for score in scored]
    cap = CLAIM_FACTOR * float(np.median([score.num_rows for score in every] or [0]))
    bases = [score.base_loss for score in every if score.base_loss > 0]
    base_cap = OUTLIER_FACTOR * float(np.median(bases or [0]))
    return [
        _standing(by_model[model], cap, base_cap, stays_home=model[1] in at_home)
        for model in models
    ]


def versions_at_home(cards: Iterable[MemberCard]) -> frozenset[Digest]:
    """Versions whose files do not travel."""
    return frozenset(
        model.version
        for card in cards
        for model in (card.champion, card.challenger)
        if model is not None and model.blob is None
    )


def _counting(scored: list[Score]) -> list[Score]:
    """Without the owner's word if another member scored the model."""
    return [score for score in scored if not score.is_own] or scored


def _standing(
    scored: Sequence[Score], cap: float, base_cap: float, *, stays_home: bool
) -> Standing:
    if not scored:
        return Standing(math.nan, math.nan, 0, is_confirmed=False, stays_home=stays_home)
    losses = np.array([score.loss for score in scored])
    if len(losses) >= _OUTLIERS_FROM:
        losses = np.minimum(losses, OUTLIER_FACTOR * np.median(losses))
    num_rows = np.array([min(score.num_rows, cap) for score in scored])
    base = float(num_rows @ np.array([min(score.base_loss, base_cap) for score in scored]))
    total = float(num_rows @ losses)
    return Standing(
        loss=total / float(num_rows.sum()),
        relative=total / base if base > 0 else (1.0 if total > 0 else 0.0),
        num_rows=float(num_rows.sum()),
        is_confirmed=not all(score.is_own for score in scored),
        stays_home=stays_home,
    )
