"""Stacking: non-negative weights that sum to 1, fitted on the members' validation rows.

Each member shares second moments of all models' answers on its rows; no rows and no answers
travel. The sums over members are those of all rows together, so the weights are too.
Source: Breiman 1996, Stacked Regressions; Lawson & Hanson 1974, Solving Least Squares Problems.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarm.core.ids import Digest
from swarm.ensemble.records import Moments
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import Floats, usable_rows
from swarm.learning.ensemble.standing import CLAIM_FACTOR

_SUM_PENALTY = 100.0
"""Weight of "the weights sum to 1", against the largest second moment."""
_TOLERANCE = 1e-10


def moments(
    spec: EnsembleSpec, versions: Sequence[Digest], stack: Floats, truth: Floats
) -> Moments | None:
    """Sum products of answers, and of answers and truth, over one member's validation rows.

    Args:
        spec: The ensemble.
        versions: k models.
        stack: Their answers on the scale of the transform, shape (k, n, outputs).
        truth: Shape (n,): targets on the scale of the transform, or indices of classes.

    Returns:
        None if there is no row that all models answered.
    """
    rows = usable_rows(spec, stack).all(axis=0)
    if not rows.any():
        return None
    answers = stack[:, rows].reshape(len(versions), -1)  # (k, n * outputs)
    wanted = truth_as_outputs(spec, truth[rows]).reshape(-1)
    return Moments(
        versions=tuple(versions),
        gram=tuple(float(x) for x in (answers @ answers.T).reshape(-1)),
        target=tuple(float(x) for x in answers @ wanted),
        num_rows=int(rows.sum()),
    )


def truth_as_outputs(spec: EnsembleSpec, truth: Floats) -> Floats:
    """Truth in the shape of answers: (n, 1), or (n, c) with one 1 a row."""
    if spec.classes:
        return np.eye(len(spec.classes))[truth.astype(np.intp)]
    return truth.astype(np.float64).reshape(-1, 1)


@np.errstate(over="ignore", invalid="ignore")  # sums that are not finite give no weights
def stacked_weights(summaries: Sequence[Moments], versions: Sequence[Digest]) -> Floats | None:
    """Weights of these models from the members' moments of them.

    Moments of other models do not count. They cover any subset of their own models exactly, so
    a member that did not answer costs no accuracy of the others' weights.

    Returns:
        Shape (k,), not negative, sum 1. None if no summary has all these models.
    """
    summaries = [each for each in summaries if set(versions) <= set(each.versions)]
    if not summaries:
        return None
    cap = CLAIM_FACTOR * float(np.median([each.num_rows for each in summaries]))
    size = len(versions)
    gram, target = np.zeros((size, size)), np.zeros(size)
    for each in summaries:
        places = [each.versions.index(version) for version in versions]
        share = min(1.0, cap / each.num_rows)
        whole = np.reshape(each.gram, (len(each.versions), -1))
        gram += share * whole[np.ix_(places, places)]
        target += share * np.asarray(each.target)[places]
    gram = (gram + gram.T) / 2
    penalty = _SUM_PENALTY * float(np.abs(np.diag(gram)).max())
    gram, target = gram + penalty, target + penalty
    if not (np.isfinite(gram).all() and np.isfinite(target).all()):
        return None  # moments of a liar: finite, but not their sums
    try:
        weights = solve_nnls(gram, target)
    except np.linalg.LinAlgError:  # great numbers that lie may still not converge
        return None
    return weights / weights.sum() if weights.sum() > 0 else None


def solve_nnls(gram: Floats, target: Floats) -> Floats:
    """Minimise w' G w - 2 w' c over w >= 0: least squares in normal form, G = A'A, c = A'b.

    Args:
        gram: Shape (k, k), symmetric, positive semi-definite.
        target: Shape (k,).

    Returns:
        Shape (k,).

    Source:
        Lawson & Hanson 1974, chapter 23 (active set); Bro & de Jong 1997 (normal form).

    Example:
        >>> solve_nnls(np.eye(2), np.array([2.0, -1.0])).tolist()
        [2.0, 0.0]
    """
    size = len(target)
    weights = np.zeros(size)
    free = np.zeros(size, np.bool_)
    tolerance = _TOLERANCE * max(1.0, float(np.abs(target).max()))
    for _ in range(3 * size):  # the bound that Lawson & Hanson give
        gradient = target - gram @ weights
        gradient[free] = -np.inf
        if gradient.max() <= tolerance:
            break
        free[int(gradient.argmax())] = True
        weights = _free_solution(gram, target, weights, free)
    return weights


def _free_solution(
    gram: Floats, target: Floats, weights: Floats, free: NDArray[np.bool_]
) -> Floats:
    """The inner loop: solve for the free weights, and fix those at 0 that would fall below."""
    while free.any():
        solution = np.zeros(len(target))
        solution[free] = np.linalg.lstsq(gram[np.ix_(free, free)], target[free], rcond=None)[0]
        if solution[free].min() > 0:
            return solution
        falling = free & (solution <= 0)
        steps = weights[falling] / np.maximum(weights[falling] - solution[falling], 1e-300)
        weights = weights + float(steps.min()) * (solution - weights)
        stuck = falling & (weights <= _TOLERANCE)
        if not stuck.any():
            stuck = falling
        free &= ~stuck
        weights = np.where(free, weights, 0.0)
    return weights
