"""A member's jobs: blocking functions for its child processes, in terms of files.

fit        out-of-fold answers to the own rows, then a model of all rows
score      another member's model on the own rows
summarise  second moments of all models' answers, and residuals of their combination
compare    champion and challenger
Predictor  loaded models that answer
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from swarm.core.errors import DataError, LearningError
from swarm.core.ids import Digest, PeerId
from swarm.ensemble.records import Comparison, ModelRecord, Moments, Residuals, Score
from swarm.ensemble.spec import EnsembleSpec
from swarm.learning.blob_files import write_blob
from swarm.learning.ensemble import combining, stacking
from swarm.learning.ensemble.answers import Floats, usable_rows
from swarm.learning.ensemble.labelled import LabelledRows, load_labelled
from swarm.learning.ensemble.model_files import ModelRefusedError, load_model, save_model
from swarm.learning.ensemble.models import Model, fit_model
from swarm.learning.ensemble.payloads import decode_coded, encode_answers
from swarm.learning.ensemble.validation import (
    OwnAnswers,
    base_loss_of,
    load_answers,
    loss_of,
    save_answers,
    validation_rows,
)

FOLDS = 5
_LOSS_MAX = 1e300
"""Stands for a loss that is not finite."""
OnShare = Callable[[float], None]
"""Called with the share of a job that is done."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member's things are."""

    spec: EnsembleSpec
    me: PeerId
    rows: Path
    """The file of its labelled rows; see `swarm.learning.ensemble.labelled`."""
    validation: Path
    """Folder of answers to these rows, by version; the jobs write and read it."""
    allow_code: bool = False
    """Whether `module:Class` learners may run."""
    only_code: str = ""
    """The only learner of code that others' models may have; see `load_model`."""


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a fit gave."""

    model: ModelRecord
    """With its blob; leave it out if the model stays at home."""
    path: Path
    """The model file in the work folder, for its owner to move."""
    score: Score
    """Out of fold."""
    carries_rows: bool
    """Whether the file holds rows that it was fitted on, as neighbours or support vectors."""


class BadRowsError(DataError):
    """Rows of a question do not fit the ensemble."""


class AbstainsError(LearningError):
    """The model does not answer rows that are far from those that it was fitted on."""


def fit(
    place: Place, learner: str, work: Path, now_s: float, progress: OnShare = lambda share: None
) -> FitResult:
    """Fit a learner on all own rows.

    Out-of-fold answers are kept in `place.validation` under the model's version.

    Args:
        place: Where things are.
        learner: Its name, or `module:Class`.
        work: Folder for the model file.
        now_s: Seconds since 1970, for the record.
        progress: Called with the share that is done, in [0, 1].

    Raises:
        ConfigurationError: There is no such learner.
        DataError: Rows are missing or too few.
        LearningError: Fitting failed.
        StorageError: The disk refused a file.
    """
    started_s = time.monotonic()
    rows = load_labelled(place.rows, place.spec)
    if len(rows) < 2:
        raise DataError(f"a member needs at least 2 labelled rows to fit a model, got {len(rows)}")
    answers = _out_of_fold(rows, place, learner, progress)
    model = fit_model(
        rows, place.spec, learner, seed=_seed(place.spec), allow_code=place.allow_code
    )
    data = save_model(model)
    path, blob = write_blob(data, work, "model")
    progress(1.0)
    save_answers(place.validation, blob.digest, OwnAnswers(np.arange(len(rows)), answers))
    record = ModelRecord(
        version=blob.digest,
        learner=learner,
        format="code" if ":" in learner else "skops",
        blob=blob,
        num_rows=len(rows),
        fitted_at_s=now_s,
        fit_s=time.monotonic() - started_s,
    )
    own_score = _score(place, record, answers, rows.y, owner=place.me)
    return FitResult(record, path, own_score, carries_rows=model.carries_rows)


def score(place: Place, owner: PeerId, model: ModelRecord, path: Path) -> Score:
    """Score another member's model on the own rows; its answers are kept for `summarise`.

    Raises:
        ModelRefusedError: The file breaks a rule, or the model answers nonsense.
    """
    rows = load_labelled(place.rows, place.spec)
    chosen = validation_rows(place.spec, len(rows))
    rows = rows.only(chosen)
    loaded = load_model(
        path,
        place.spec,
        model.learner,
        allow_code=place.allow_code,
        only_code=place.only_code,
    )
    try:
        answers = loaded.answers(rows.x)
    except LearningError as error:
        raise ModelRefusedError(str(error)) from error
    if not usable_rows(place.spec, answers[np.newaxis]).all():
        raise ModelRefusedError("the model's answers are not finite, or beyond the target's range")
    save_answers(place.validation, model.version, OwnAnswers(chosen, answers))
    return _score(place, model, answers, rows.y, owner=owner)


def summarise(
    place: Place, models: Sequence[tuple[PeerId, Digest]], scores: Sequence[Score]
) -> tuple[Moments | None, Residuals | None]:
    """Second moments of the models' answers to the own rows, and residuals of the combination.

    Args:
        place: Where things are.
        models: Owners and versions, in order; each was fitted or scored here.
        scores: All members' scores: the combination's weights come from them.

    Raises:
        DataError: Answers of a model are not at hand.
    """
    rows = load_labelled(place.rows, place.spec)
    kept = [load_answers(place.validation, version) for _, version in models]
    shared = validation_rows(place.spec, len(rows))
    for own in kept:
        shared = np.intersect1d(shared, own.rows)
    if not len(shared) or not kept:
        return None, None
    stack = np.stack([own.at(shared) for own in kept])
    truth = rows.y[shared]
    moments = stacking.moments(place.spec, [version for _, version in models], stack, truth)
    own_moments = () if moments is None else (moments,)
    residuals = combining.residuals(place.spec, models, scores, stack, truth, moments=own_moments)
    return moments, residuals


def compare(
    place: Place, champion: ModelRecord, champion_path: Path, challenger: ModelRecord
) -> Comparison:
    """Compare on validation rows, and on rows that the champion was not fitted on.

    The challenger's answers are out of fold. So are the champion's to the rows that it was fitted
    on; it answers later ones by itself.

    Raises:
        DataError: Answers of a model are not at hand.
        ModelRefusedError: The champion's file breaks a rule.
    """
    rows = load_labelled(place.rows, place.spec)
    before = load_answers(place.validation, champion.version)
    after = load_answers(place.validation, challenger.version)
    shared = np.intersect1d(before.rows, after.rows)
    recent = after.rows[after.rows >= champion.num_rows]
    losses: dict[str, Any] = {}
    if len(recent):
        loaded = load_model(
            champion_path, place.spec, champion.learner, allow_code=place.allow_code
        )
        answers = loaded.answers(rows.only(recent).x)
        losses["champion_recent"] = loss_of(place.spec, answers, rows.y[recent])
        losses["challenger_recent"] = loss_of(place.spec, after.at(recent), rows.y[recent])
    if len(shared):
        truth = rows.y[shared]
        losses["champion_validation"] = loss_of(place.spec, before.at(shared), truth)
        losses["challenger_validation"] = loss_of(place.spec, after.at(shared), truth)
    found = Comparison(**{name: min(loss, _LOSS_MAX) for name, loss in losses.items()})
    return replace(found, num_recent=len(recent))


class Predictor:
    """Loaded models by version; they answer one question after the other."""

    def __init__(
        self, spec: EnsembleSpec, *, allow_code: bool = False, only_code: str = ""
    ) -> None:
        self._spec = spec
        self._only_code = only_code
        self._allow_code = allow_code
        self._models: dict[Digest, Model] = {}

    @property
    def versions(self) -> Mapping[Digest, Model]:
        """The models that are loaded."""
        return self._models

    def load(self, record: ModelRecord, path: Path) -> None:
        """Load a model that is to answer.

        Raises:
            ModelRefusedError: The file breaks a rule, or is not the record's.
        """
        if record.version in self._models:
            return
        if hashlib.sha256(path.read_bytes()).hexdigest() != record.version:
            raise ModelRefusedError(f"{path} is not the file of model {record.version[:12]}")
        self._models[record.version] = load_model(
            path,
            self._spec,
            record.learner,
            allow_code=self._allow_code,
            only_code=self._only_code,
        )

    def keep_only(self, versions: Sequence[Digest]) -> None:
        """Forget all models but these."""
        self._models = {key: model for key, model in self._models.items() if key in versions}

    def predict(self, version: Digest, rows: bytes) -> bytes:
        """Answer the rows of `payloads.encode_rows` with the bytes of `payloads.encode_answers`.

        Raises:
            BadRowsError: The rows do not fit the ensemble.
            AbstainsError: They are too far from the model's own.
            LearningError: The model is not loaded, or fails.
        """
        if version not in self._models:
            raise LearningError(f"model {version[:12]} is not loaded")
        try:
            decoded = decode_coded(rows, self._spec)
        except DataError as error:
            raise BadRowsError(str(error)) from error
        model = self._models[version]
        if model.are_far(decoded):
            raise AbstainsError("these rows are far from those that the model was fitted on")
        return encode_answers(model.answers(decoded))


def _out_of_fold(rows: LabelledRows, place: Place, learner: str, progress: OnShare) -> Floats:
    seed = _seed(place.spec)
    folds = min(FOLDS, len(rows))
    turns = np.random.default_rng(seed).permutation(len(rows)) % folds
    answers = np.zeros((len(rows), place.spec.num_outputs))
    for fold in range(folds):
        model = fit_model(
            rows.only(turns != fold), place.spec, learner, seed=seed, allow_code=place.allow_code
        )
        answers[turns == fold] = model.answers(rows.only(turns == fold).x)
        progress((fold + 1) / (folds + 1))
    return answers


def _score(
    place: Place, model: ModelRecord, answers: Floats, truth: Floats, *, owner: PeerId
) -> Score:
    loss = loss_of(place.spec, answers, truth)
    if not np.isfinite(loss):
        raise LearningError("the model's answers are not finite, or beyond the target's range")
    return Score(
        owner=owner,
        version=model.version,
        loss=loss,
        base_loss=base_loss_of(place.spec, truth),
        num_rows=len(truth),
        is_own=owner == place.me,
    )


def _seed(spec: EnsembleSpec) -> int:
    return spec.seed % 2**32
