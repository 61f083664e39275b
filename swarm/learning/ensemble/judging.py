"""judge(): which answers are off, against the truth where it is known, else against the others.

How far an honest answer may be off is known: the cross-validation matrix has each model's error
on other members' rows. A weak member is off by much and is expected to be; a member whose answers
differ more than its model's record allows does not answer with that model, or its rows changed.
"""

import math

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.core.ids import PeerId
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import Floats, to_scale, usable_rows
from swarm.learning.ensemble.combining import Combined

ERRORS_MAX = 2.5
"""A number is off beyond this many root mean squared errors of the matrix."""
OFF_SHARE = 0.2
"""A member with a greater share of rows off is no reference for the others."""
LOSSES_MAX = 4.0
"""Probabilities are off if the log-loss of a row exceeds this multiple of the matrix's."""
_LOSS_MIN = math.log(10)
"""Giving the true class 10 % is never off."""
_SURE = 0.8
"""Without the truth, only rows count where the others agree on a class with this probability."""
_CROSS_CHECKED_FROM = 3
"""Members that it takes to tell which one is off."""
_PROBABILITY_MIN = 1e-15
_NORMAL = 1.4826
"""Standard deviation of normal errors whose median size is 1."""

Verdict = tuple[PeerId, int, int]
"""Owner, rows judged, rows off."""


def judge(
    spec: EnsembleSpec, combined: Combined, truth: Floats | None = None
) -> tuple[Verdict, ...]:
    """Judge each member's answer to each row.

    An answer that is no finite number, or no probabilities, is off without comparison.
    Others are compared with the truth of their row, or with the members' median.

    Args:
        spec: The ensemble.
        combined: What `combine` returned.
        truth: Shape (n,), NaN where unknown: numbers in the target's unit, or indices of classes.

    Returns:
        Verdicts in the order of the members.
    """
    stack = np.stack([member.scaled for member in combined.members])
    usable = usable_rows(spec, stack)
    num_rows = stack.shape[1]
    truth = np.full(num_rows, np.nan) if truth is None else np.asarray(truth, np.float64)
    if truth.shape != (num_rows,):
        raise DataError(f"truth must have shape ({num_rows},), got {truth.shape}")
    losses = _losses(combined)
    if spec.classes:
        judged, off = _judge_classes(stack, usable, truth, losses)
    else:
        judged, off = _judge_numbers(stack[:, :, 0], usable, to_scale(spec, truth), losses)
    judged |= ~usable
    off |= ~usable
    return tuple(
        (member.owner, int(judged[k].sum()), int(off[k].sum()))
        for k, member in enumerate(combined.members)
    )


def _losses(combined: Combined) -> Floats:
    """Each model's loss; that of the worst known model where the matrix has none."""
    losses = np.array([member.loss for member in combined.members])
    if np.isnan(losses).all():
        return losses
    return np.where(np.isnan(losses), np.nanmax(losses), losses)


def _judge_numbers(
    answers: Floats, usable: NDArray[np.bool_], truth: Floats, losses: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Judge the member that is furthest off first, then the others without it.

    Else one that lies would move the median, and a good member beside a weak one would be accused.
    """
    judged, off = np.zeros_like(usable), np.zeros_like(usable)
    counted = usable.copy()
    left = list(range(len(answers)))
    while left:
        distance, known = _distances(answers, counted, truth, losses)
        judged[left] = usable[left] & known
        off[left] = judged[left] & (distance[left] > ERRORS_MAX)
        mean = np.where(judged, distance, 0).sum(axis=1) / np.maximum(judged.sum(axis=1), 1)
        worst = max(left, key=lambda k: float(mean[k]))
        if off[worst].sum() <= OFF_SHARE * judged[worst].sum():
            break
        left.remove(worst)
        counted[worst] = False
    return judged, off


def _distances(
    answers: Floats, counted: NDArray[np.bool_], truth: Floats, losses: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """How far each answer is from its row's reference, as a multiple of the error to expect."""
    reference, known = _references(answers, counted, truth)
    distance = np.abs(np.where(np.isfinite(answers), answers, 0.0) - reference)
    if np.isnan(losses).any():  # nothing is scored: what is usual among the members themselves
        usual = float(np.median(distance[counted & known])) if (counted & known).any() else 0.0
        losses = np.full(len(answers), (_NORMAL * usual) ** 2)
    # A median of several errs too, but less than the median member.
    errors = losses[:, None] + np.where(np.isnan(truth), np.median(losses) / 2, 0.0)
    return distance / np.maximum(np.sqrt(errors), 1e-12), known


def _references(
    answers: Floats, usable: NDArray[np.bool_], truth: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """The truth of each row, or the median of the usable answers; and where there is either."""
    enough = usable.sum(axis=0) >= _CROSS_CHECKED_FROM
    median = np.zeros(answers.shape[1])
    median[enough] = np.nanmedian(np.where(usable, answers, np.nan)[:, enough], axis=0)
    known = ~np.isnan(truth)
    return np.where(known, np.nan_to_num(truth), median), known | enough


def _judge_classes(
    stack: Floats, usable: NDArray[np.bool_], truth: Floats, losses: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    clean = np.where(usable[:, :, None], stack, 0.0)
    enough = usable.sum(axis=0) >= _CROSS_CHECKED_FROM
    known = ~np.isnan(truth)
    if np.isnan(losses).any():
        losses = np.zeros(len(stack))
    allowed = np.maximum(LOSSES_MAX * losses, _LOSS_MIN)
    judged, off = np.zeros_like(usable), np.zeros_like(usable)
    for k in range(len(stack)):
        others = np.delete(clean, k, axis=0).sum(axis=0)
        others /= np.maximum(np.delete(usable, k, axis=0).sum(axis=0), 1)[:, None]
        wanted = np.where(known, np.nan_to_num(truth), others.argmax(axis=1)).astype(np.intp)
        sure = known | (enough & (others.max(axis=1) >= _SURE))
        given = np.take_along_axis(clean[k], wanted[:, None], axis=1)[:, 0]
        judged[k] = usable[k] & sure
        off[k] = judged[k] & (-np.log(np.maximum(given, _PROBABILITY_MIN)) > allowed[k])
    return judged, off
