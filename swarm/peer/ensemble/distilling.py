"""Distillation: one model, trained on an ensemble's answers, in one file to take away.

Rows that are asked about need no labels: the ensemble's answers are the targets (Hinton et al.
2015, with the classes themselves as targets). The model has no intervals, and nothing of it goes
back to the members.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from swarm.core.errors import ConfigurationError, DataError
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.ensemble.answers import to_scale
from swarm.learning.ensemble.labelled import LabelledRows
from swarm.learning.ensemble.learners import find_learner
from swarm.learning.ensemble.model_files import save_model
from swarm.learning.ensemble.models import fit_model
from swarm.learning.ensemble.payloads import decode_rows
from swarm.peer.ensemble.asked_rows import AskedRows, encode_asked
from swarm.peer.ensemble.prediction import Prediction
from swarm.peer.host.whole_files import write_whole

ENDING = ".skops"


class Distillation:
    """Trains a learner on an ensemble's answers, and writes the model to a file."""

    def __init__(self, spec: EnsembleSpec, learner: str, output: Path) -> None:
        """Check learner and file name, before any member is asked.

        Raises:
            ConfigurationError: A rule is broken; the message names the value.
        """
        find_learner(learner, spec.task)
        if output.suffix != ENDING:
            raise ConfigurationError(
                f"the file of a distilled {learner} must end in {ENDING}, got {output.name!r}"
            )
        self._spec = spec
        self._learner = learner
        self._output = output

    def ask_and_fit(self, rows: AskedRows, ask: Callable[[AskedRows], Prediction]) -> Path:
        """Ask about rows, train on the answers, write the file; return its path."""
        self.fit(rows, ask(rows))
        return self._output

    def fit(self, rows: AskedRows, answers: Prediction) -> None:
        """Train on rows and the ensemble's answers to them, and write the file.

        Raises:
            DataError: An answer is no finite number.
            LearningError: Training failed.
            StorageError: The disk refused the file.
        """
        if answers.probabilities is not None:
            targets = answers.probabilities.argmax(axis=1).astype(np.float64)
        else:
            targets = to_scale(self._spec, answers.values.astype(np.float64))
        if not np.isfinite(targets).all():
            row = int((~np.isfinite(targets)).argmax())
            raise DataError(f"row {row + 1} has no usable answer: leave it out")
        x = decode_rows(encode_asked(rows, self._spec), self._spec)
        model = fit_model(LabelledRows(x, targets), self._spec, self._learner, seed=0)
        write_whole(self._output, save_model(model))
