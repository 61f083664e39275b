"""MemberJobs: what a member's child process does, in terms of `swarm.learning.ensemble.jobs`."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swarm.core.canonical import sha256_hex
from swarm.core.errors import DataError, LearningError
from swarm.core.ids import PeerId
from swarm.ensemble.records import ModelRecord, RefusedModel, Score
from swarm.learning.ensemble import jobs
from swarm.learning.ensemble.labelled import load_labelled
from swarm.learning.ensemble.payloads import decode_answers, encode_decoded
from swarm.learning.ensemble.validation import (
    OwnAnswers,
    base_loss_of,
    loss_of,
    save_answers,
    validation_rows,
)
from swarm.peer.processes.member_frames import (
    AddRows,
    CompareModels,
    FitModel,
    FittedModel,
    Job,
    MeasureDrift,
    Open,
    Reply,
    RowsAdded,
    ScoreOf,
    ScoreOrRefusal,
    ScoreRows,
    SharedRows,
    ShareRowsOf,
    SummariseModels,
    Summary,
)

REASON_LENGTH_MAX = 300
OnShare = Callable[[float], None]


class MemberJobs:
    """Does one process's jobs for one ensemble."""

    def __init__(self, opening: Open) -> None:
        folder = Path(opening.folder)
        only_code = opening.learner if opening.is_for_others else ""
        self.predictor = jobs.Predictor(
            opening.spec, allow_code=opening.allow_code, only_code=only_code
        )
        self._folder = folder
        self._learner = opening.learner
        self._place = jobs.Place(
            spec=opening.spec,
            me=opening.owner,
            rows=folder / "rows.swl",
            validation=folder / "validation",
            allow_code=opening.allow_code,
            only_code=only_code,
        )
        self._shared: dict[PeerId, NDArray[np.int64]] = {}
        """Which rows were shared with the owner of a model that stays at home."""

    def do(self, job: Job, progress: OnShare) -> Reply:
        """Do a job that is not about loaded models.

        Raises:
            SwarmError: It failed; the message says why.
        """
        match job:
            case FitModel():
                return self._fit(job, progress)
            case ScoreOf() | ScoreRows():
                return self._score(job)
            case ShareRowsOf():
                return self._share(job)
            case SummariseModels(models, scores):
                return Summary(*jobs.summarise(self._place, models, scores))
            case CompareModels(champion, challenger):
                return jobs.compare(self._place, champion, self._model_path(champion), challenger)
            case AddRows() | MeasureDrift():
                return self._look_at_rows(job)
        raise LearningError(f"no such job: {job!r:.100}")

    def difference(self, ours: bytes, theirs: bytes, num_rows: int) -> float:
        """Mean absolute difference of two models' answers to the same rows."""
        outputs = self._place.spec.num_outputs
        first, second = (decode_answers(data, num_rows, outputs) for data in (ours, theirs))
        return float(np.abs(first - second).mean())

    def _fit(self, job: FitModel, progress: OnShare) -> FittedModel:
        work = self._folder / "work"
        result = jobs.fit(self._place, self._learner, work, job.now_s, progress)
        # Neighbours and support vectors are rows, and rows do not leave their owner.
        stays = job.keep_model or result.carries_rows
        model = replace(result.model, blob=None) if stays else result.model
        return FittedModel(model, str(result.path), result.score)

    def _look_at_rows(self, job: AddRows | MeasureDrift) -> Reply:
        # Imported here: the other processes need no library for drift.
        from swarm.learning.ensemble import new_rows  # noqa: PLC0415

        if isinstance(job, AddRows):
            added = new_rows.add_rows(self._place, Path(job.path), job.label)
            return RowsAdded(added.num_new, added.num_left_out, added.num_rows)
        path = self._model_path(job.model)
        return new_rows.drift(self._place, job.model, path, job.threshold)

    def _score(self, job: ScoreOf | ScoreRows) -> ScoreOrRefusal:
        if isinstance(job, ScoreRows):
            return _judged(job.owner, job.model, lambda: self._score_answers(job))
        path = Path(job.path)
        return _judged(
            job.owner, job.model, lambda: jobs.score(self._place, job.owner, job.model, path)
        )

    def _model_path(self, record: ModelRecord) -> Path:
        return self._folder / "models" / f"{record.version}.{record.format}"

    def _share(self, job: ShareRowsOf) -> SharedRows:
        place = self._place
        rows = load_labelled(place.rows, place.spec)
        chosen = validation_rows(place.spec, len(rows))
        data = encode_decoded(rows.only(chosen).x, place.spec)
        self._shared[job.owner] = chosen
        Path(job.rows_path).write_bytes(data)
        return SharedRows(len(chosen), len(data), sha256_hex(data))

    def _score_answers(self, job: ScoreRows) -> Score:
        place, chosen = self._place, self._shared.pop(job.owner, None)
        if chosen is None:
            raise DataError("no rows were shared with its owner since this process started")
        data = Path(job.path).read_bytes() if job.path else job.answers
        answers = decode_answers(data, len(chosen), place.spec.num_outputs)
        truth = load_labelled(place.rows, place.spec).y[chosen]
        loss = loss_of(place.spec, answers, truth)
        if not math.isfinite(loss):
            raise DataError("the model's answers are not finite, or beyond the target's range")
        save_answers(place.validation, job.model.version, OwnAnswers(chosen, answers))
        base_loss = base_loss_of(place.spec, truth)
        return Score(job.owner, job.model.version, loss, base_loss, len(chosen), is_own=False)


def _judged(owner: PeerId, model: ModelRecord, score: Callable[[], Score]) -> ScoreOrRefusal:
    try:
        return ScoreOrRefusal(score(), None)
    except (DataError, LearningError) as error:
        reason = str(error)[:REASON_LENGTH_MAX]
        return ScoreOrRefusal(None, RefusedModel(owner, model.version, reason))
