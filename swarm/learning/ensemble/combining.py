"""combine(): from the members' answers and cards to one answer that says how sure it is.

A question's answer is, for k members with answers a_i on the scale of the transform,

    y = inverse(sum of w_i a_i),    interval = inverse(sum of w_i a_i -+ q)

with weights w_i by the rule that the spec fixes (`weights`), and q the quantile of the combined
prediction's errors on all members' validation rows (`intervals`). numpy only: askers use it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.core.ids import Digest, PeerId
from swarm.ensemble.messages import MemberCard
from swarm.ensemble.records import Moments, Residuals, Score
from swarm.ensemble.score_matrix import card_scores
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import (
    Floats,
    MemberAnswer,
    stack_answers,
    to_target_unit,
    usable_rows,
)
from swarm.learning.ensemble.blending import blend, spread_of
from swarm.learning.ensemble.combiner import Combiner, held_out
from swarm.learning.ensemble.intervals import margin_of, summarise_residuals
from swarm.learning.ensemble.standing import Model, standings, versions_at_home
from swarm.learning.ensemble.weights import Weighting, weigh


@dataclass(frozen=True, slots=True, eq=False)
class MemberPart:
    """One member's part of a combined answer."""

    owner: PeerId
    version: Digest
    weight: float
    """Share of the combination, in [0, 1]; of a trained one, of the default that it corrects."""
    loss: float
    """What the matrix says of its model: mean loss on the scale of the transform; NaN if
    no member scored it."""
    scaled: Floats
    """Its own answer on the scale of the transform, shape (n, outputs)."""
    values: Floats
    """Its own answer in the target's unit, shape (n,), or probabilities, shape (n, c)."""


@dataclass(frozen=True, slots=True, eq=False)
class Combined:
    """The combined answer to n rows."""

    values: Floats
    """In the target's unit, shape (n,), or probabilities of classes, shape (n, c)."""
    spread: Floats
    """Shape (n,): standard deviation of the members' answers in the target's unit, or the share
    of the weights that is for another class."""
    lower: Floats | None
    """Ends of the intervals in the target's unit, shape (n,); None without an interval."""
    upper: Floats | None
    sets: NDArray[np.bool_] | None
    """Classes of each row's prediction set, shape (n, c); None for a regression or without one."""
    coverage: float
    """Share of rows whose truth the intervals or sets are to contain."""
    rule: str
    """The combination that was used."""
    members: tuple[MemberPart, ...]
    notes: tuple[str, ...]
    """What falls short of the spec's combination or of the coverage, in words."""


def combine(
    spec: EnsembleSpec,
    cards: Iterable[MemberCard],
    answers: Sequence[MemberAnswer],
    coverage: float = 0.9,
    distrusted: Collection[PeerId] = (),
    combiner: Combiner | None = None,
) -> Combined:
    """Combine the answers that count.

    Args:
        spec: The ensemble.
        cards: Of all members, also of those that did not answer.
        answers: One a member.
        coverage: Share of rows whose truth the interval or set is to contain, in (0, 1).
        distrusted: Members whose answers are shown but have no weight.
        combiner: The trained combiner, for a spec that asks for one.

    Raises:
        DataError: There is no answer, shapes differ, or coverage is not in (0, 1).
    """
    if not 0 < coverage < 1:
        raise DataError(f"coverage must be between 0 and 1, got {coverage}")
    stack = stack_answers(spec, answers)
    models = [(answer.owner, answer.version) for answer in answers]
    trusted = [k for k, (owner, _) in enumerate(models) if owner not in distrusted]
    if not trusted:
        raise DataError("all members that answered have lost their weight")
    cards = [card for card in cards if card.sender not in distrusted]
    measured = standings(models, card_scores(cards), versions_at_home(cards))
    moments = [card.moments for card in cards if card.moments is not None]
    versions = [models[k][1] for k in trusted]
    weighting = weigh(
        spec,
        [models[k] for k in trusted],
        [measured[k] for k in trusted],
        moments,
        combiner=combiner,
    )
    weights = np.zeros(len(models))
    weights[trusted] = weighting.weights
    usable = usable_rows(spec, stack)
    usable[[k for k in range(len(models)) if k not in trusted]] = False
    blended = _blended(spec, weighting, versions, stack[trusted], usable[trusted], combiner)
    margin, notes = margin_of(
        [card.residuals for card in cards if card.residuals is not None],
        weighting.rule,
        versions,
        coverage,
    )
    lower, upper, sets = _bounds(spec, blended, margin)
    if not usable.any(axis=0).all():
        notes = (*notes, "no member gave a usable answer to some rows")
    return Combined(
        values=_shown(spec, blended),
        spread=spread_of(spec, weights, stack, usable, blended),
        lower=lower,
        upper=upper,
        sets=sets,
        coverage=coverage,
        rule=weighting.rule,
        members=tuple(
            MemberPart(
                owner=owner,
                version=version,
                weight=float(weights[k]),
                loss=measured[k].loss,
                scaled=stack[k],
                values=_shown(spec, stack[k]),
            )
            for k, (owner, version) in enumerate(models)
        ),
        notes=(*weighting.notes, *notes),
    )


def residuals(  # noqa: PLR0913 -- the inputs of a weighting, and rows
    spec: EnsembleSpec,
    models: Sequence[Model],
    scores: Iterable[Score],
    stack: Floats,
    truth: Floats,
    *,
    moments: Sequence[Moments] = (),
    at_home: Collection[Digest] = (),
    combiner: Combiner | None = None,
) -> Residuals | None:
    """Summarise the errors of the combination of these models on one member's validation rows.

    Args:
        spec: The ensemble.
        models: Owners and versions of k models.
        scores: Of all members: the weights come from them.
        stack: The models' answers on the scale of the transform, shape (k, n, outputs); of the
            member's own model out of fold.
        truth: Shape (n,): targets on that scale, or indices of classes.
        moments: Of all members, for stacking.
        at_home: Versions that do not travel.
        combiner: The trained combiner; then only rows count that it was not trained on.

    Returns:
        None if no row has a combined answer.
    """
    measured = standings(models, scores, at_home)
    weighting = weigh(spec, models, measured, moments, combiner=combiner)
    if weighting.rule == "trained":
        held = held_out(len(truth), spec.seed)
        stack, truth = stack[:, held], truth[held]
    versions = [version for _, version in models]
    usable = usable_rows(spec, stack)
    blended = _blended(spec, weighting, versions, stack, usable, combiner)
    return summarise_residuals(spec, weighting.rule, versions, blended, truth)


def _blended(
    spec: EnsembleSpec,
    weighting: Weighting,
    versions: Sequence[Digest],
    stack: Floats,
    usable: NDArray[np.bool_],
    combiner: Combiner | None,
) -> Floats:
    if combiner is not None and weighting.rule == "trained":
        return combiner.combine(spec, versions, stack, usable)
    return blend(weighting.rule, weighting.weights, stack, usable)


def _bounds(
    spec: EnsembleSpec, blended: Floats, margin: float | None
) -> tuple[Floats | None, Floats | None, NDArray[np.bool_] | None]:
    if margin is None:
        return None, None, None
    if not spec.classes:
        lower, upper = blended - margin, blended + margin
        return _shown(spec, lower), _shown(spec, upper), None
    # A set is never empty: the likeliest class is the answer.
    likeliest = blended >= blended.max(axis=1, keepdims=True)
    return None, None, (1 - blended <= margin) | likeliest


def _shown(spec: EnsembleSpec, scaled: Floats) -> Floats:
    """In the target's unit: shape (n,) for a regression."""
    values = to_target_unit(spec, scaled)
    return values if spec.classes else values[:, 0]
