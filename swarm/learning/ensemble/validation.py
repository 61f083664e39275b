"""Validation: losses of answers, and the files that keep answers to a member's own rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swarm.core.errors import DataError, StorageError
from swarm.core.ids import Digest
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import Floats, usable_rows
from swarm.learning.ensemble.models import PROBABILITY_MIN

VALIDATION_ROWS_MAX = 2_000
"""Rows that others' models are scored on; of more rows, a seeded sample."""


@dataclass(frozen=True, slots=True, eq=False)
class OwnAnswers:
    """One model's answers to some of a member's own rows."""

    rows: NDArray[np.int64]
    """Places of the rows, rising; shape (n,)."""
    answers: Floats
    """Shape (n, outputs)."""

    def at(self, rows: NDArray[np.int64]) -> Floats:
        """Answers to these rows, all of which were answered."""
        return self.answers[np.searchsorted(self.rows, rows)]


def loss_of(spec: EnsembleSpec, answers: Floats, truth: Floats) -> float:
    """Mean squared error, or mean log-loss; infinite if an answer is of no use.

    Args:
        spec: The ensemble.
        answers: Shape (n, outputs), on the scale of the transform.
        truth: Shape (n,).
    """
    if not usable_rows(spec, answers[np.newaxis]).all():
        return float("inf")
    if spec.classes:
        chosen = answers[np.arange(len(truth)), truth.astype(np.intp)]
        return float(-np.log(np.clip(chosen, PROBABILITY_MIN / 2, 1)).mean())
    with np.errstate(over="ignore"):
        return float(np.square(answers[:, 0] - truth).mean())


def base_loss_of(spec: EnsembleSpec, truth: Floats) -> float:
    """Loss of the constant that fits best: the mean, or the base rates."""
    if not spec.classes:
        return float(truth.var())
    shares = np.bincount(truth.astype(np.intp)) / len(truth)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def validation_rows(spec: EnsembleSpec, num_rows: int) -> NDArray[np.int64]:
    """Places of the rows that others' models are scored on, rising."""
    if num_rows <= VALIDATION_ROWS_MAX:
        return np.arange(num_rows)
    rng = np.random.default_rng(spec.seed % 2**32)
    return np.sort(rng.choice(num_rows, VALIDATION_ROWS_MAX, replace=False))


def save_answers(folder: Path, version: Digest, own: OwnAnswers) -> None:
    """Keep a model's answers.

    Raises:
        StorageError: The disk refused it.
    """
    path = folder / f"{version}.npz"
    temporary = path.with_name(path.name + ".new")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(file, rows=own.rows, answers=own.answers)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def load_answers(folder: Path, version: Digest) -> OwnAnswers:
    """Read a model's answers.

    Raises:
        DataError: There are none, or the file is damaged.
    """
    path = folder / f"{version}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return OwnAnswers(file["rows"], file["answers"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"answers of model {version[:12]} are not at hand: {error}") from error
