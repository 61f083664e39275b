"""MemberAnswer: what one member answered; which of its rows can be used at all.

Answers are on the scale of the spec's transform: for a regression (n, 1), for classes (n, c)
probabilities.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError
from swarm.core.ids import Digest, PeerId
from swarm.ensemble.spec import EnsembleSpec

Floats = NDArray[np.float64]
_SUM_TOLERANCE = 1e-3
"""Probabilities may be float32, and were rounded on their way."""


@dataclass(frozen=True, slots=True, eq=False)
class MemberAnswer:
    """One member's answer to all rows of a question."""

    owner: PeerId
    version: Digest
    values: Floats
    """Shape (n, outputs)."""


def stack_answers(spec: EnsembleSpec, answers: Sequence[MemberAnswer]) -> Floats:
    """Put k answers together.

    Returns:
        Shape (k, n, outputs), float64.

    Raises:
        DataError: There is no answer, one owner answered twice, or shapes differ.
    """
    if not answers:
        raise DataError("answers of at least one member are needed, got none")
    owners = [answer.owner for answer in answers]
    if len(set(owners)) < len(owners):
        raise DataError("each member must answer once")
    num_rows = len(answers[0].values)
    for answer in answers:
        if answer.values.shape != (num_rows, spec.num_outputs):
            raise DataError(
                f"the answer of {answer.owner:.80} must have shape "
                f"({num_rows}, {spec.num_outputs}), got {answer.values.shape}"
            )
    return np.stack([answer.values for answer in answers]).astype(np.float64)


def usable_rows(spec: EnsembleSpec, stack: Floats) -> NDArray[np.bool_]:
    """Which answers can be combined: finite ones, and for classes probabilities.

    A price where the logarithm of one is due is not usable: no finite price belongs to it.

    Args:
        spec: The ensemble.
        stack: Shape (k, n, outputs).

    Returns:
        Shape (k, n).
    """
    usable: NDArray[np.bool_] = np.all(np.isfinite(to_target_unit(spec, stack)), axis=2)
    if spec.classes:
        with np.errstate(invalid="ignore", over="ignore"):
            usable &= np.all(stack >= -_SUM_TOLERANCE, axis=2)
            usable &= np.abs(stack.sum(axis=2) - 1) <= _SUM_TOLERANCE
    return usable


def to_target_unit(spec: EnsembleSpec, values: Floats) -> Floats:
    """Invert the spec's transform; inf where the result is no finite number."""
    if spec.transform != "log1p":
        return values
    with np.errstate(over="ignore"):
        inverted: Floats = np.expm1(values)
    return inverted


def to_scale(spec: EnsembleSpec, values: Floats) -> Floats:
    """Apply the spec's transform to numbers in the target's unit; NaN where it has none."""
    if spec.transform != "log1p":
        return values
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled: Floats = np.log1p(values)
    return scaled
