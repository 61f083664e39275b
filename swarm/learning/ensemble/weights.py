"""weigh(): the weight of each model, by the combination that the spec fixes in advance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swarm.ensemble.records import Moments
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import Floats
from swarm.learning.ensemble.combiner import Combiner
from swarm.learning.ensemble.stacking import stacked_weights
from swarm.learning.ensemble.standing import Model, Standing

HOME_SHARE = 0.5
"""Share of its weight that a model keeps that stays at home and that only its owner scored."""
_RELATIVE_MIN = 1e-6
"""Bounds 1/MSE^2 of a model that makes no errors."""


@dataclass(frozen=True, slots=True, eq=False)
class Weighting:
    """Weights of models, and how they came about."""

    rule: str
    """The combination that was used."""
    weights: Floats
    """Shape (k,), not negative, sum 1."""
    notes: tuple[str, ...] = ()
    """Where this is not what the spec asks for, in words."""


def rule_of(spec: EnsembleSpec) -> str:
    """The combination that the spec means."""
    return "skill" if spec.combination == "auto" else spec.combination


def weigh(
    spec: EnsembleSpec,
    models: Sequence[Model],
    measured: Sequence[Standing],
    moments: Sequence[Moments] = (),
    *,
    combiner: Combiner | None = None,
) -> Weighting:
    """Weight k models that answered.

    Args:
        spec: The ensemble.
        models: Owners and versions.
        measured: What the matrix says of each.
        moments: Those of all cards, for stacking.
        combiner: The trained combiner, if there is one. Its weights are those of the default,
            which say how much members count.
    """
    rule = rule_of(spec)
    notes: tuple[str, ...] = ()
    equal = np.full(len(models), 1 / len(models))
    if rule in ("mean", "median", "hard"):
        return Weighting(rule, equal)
    versions = [version for _, version in models]
    if rule == "stacking":
        stacked = stacked_weights(moments, versions)
        if stacked is not None:
            return Weighting(rule, stacked)
        notes = ("no member has shared moments of all these models: weights by skill instead",)
    is_trained = rule == "trained" and combiner is not None and combiner.covers(versions)
    if rule == "trained" and not is_trained:
        notes = ("there is no trained combiner of these models yet: weights by skill instead",)
    rule = "trained" if is_trained else "skill"
    weights = _skill_weights(spec, measured)
    if weights is None:
        return Weighting(rule, equal, (*notes, "no model is scored yet: equal weights"))
    if weights.sum() == 0:
        return Weighting(
            rule, equal, (*notes, "no model is better than the base rate: equal weights")
        )
    return Weighting(rule, weights / weights.sum(), notes)


def _skill_weights(spec: EnsembleSpec, measured: Sequence[Standing]) -> Floats | None:
    """1/MSE^2 of a regression; of classes 1 - loss / base loss, at least 0."""
    relative = np.array([each.relative for each in measured])
    if np.isnan(relative).all():
        return None
    relative = np.where(np.isnan(relative), np.nanmax(relative), relative)
    confirmed = np.array([each.is_confirmed for each in measured])
    if confirmed.any():
        # An owner's word makes its model no better than the best that others scored.
        relative = np.where(confirmed, relative, np.maximum(relative, relative[confirmed].min()))
    if spec.classes:
        weights = np.maximum(1 - relative, 0)
    else:
        weights = np.maximum(relative, _RELATIVE_MIN) ** -2.0
    halved = [each.stays_home and not each.is_confirmed for each in measured]
    shares: Floats = np.where(halved, HOME_SHARE * weights, weights)
    return shares
