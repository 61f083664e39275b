"""MemberJobs: what a member's child process does, in terms of `swarm.learning.ensemble.jobs`."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.canonical import sha256_hex
from swarm.core.errors import DataError, LearningError
from swarm.core.ids import PeerId
from swarm.ensemble.records import ModelRecord, RefusedModel, Score
from swarm.learning.ensemble import jobs
from swarm.learning.ensemble.payloads import decode_answers
from swarm.peer.processes.member_frames import (
    CompareModels,
    FitModel,
    FittedModel,
    Job,
    Open,
    Reply,
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
        self.predictor = jobs.Predictor(opening.spec, allow_code=opening.allow_code)
        self._folder = folder
        self._learner = opening.learner
        self._place = jobs.Place(
            spec=opening.spec,
            me=opening.owner,
            rows=folder / "rows.swl",
            validation=folder / "validation",
            allow_code=opening.allow_code,
        )
        self._shared: dict[PeerId, NDArray[np.int64]] = {}
        """Which rows were shared with the owner of a model that stays at home."""

    def do(self, job: Job, progress: OnShare) -> Reply:
        """Do a job that is not about loaded models.

        Raises:
            SwarmError: It failed; the message says why.
        """
        match job:
            case FitModel(keep_model):
                return self._fit(keep_model, progress)
            case ScoreOf(owner, model, path):
                return _judged(
                    owner, model, lambda: jobs.score(self._place, owner, model, Path(path))
                )
            case ShareRowsOf():
                return self._share(job)
            case ScoreRows(owner, model):
                return _judged(owner, model, lambda: self._score_answers(job))
            case SummariseModels(models, scores):
                return Summary(*jobs.summarise(self._place, models, scores))
            case CompareModels(champion, challenger):
                return jobs.compare(
                    self._place, champion, self._model_path(champion), challenger
                )
        raise LearningError(f"no such job: {job!r:.100}")

    def difference(self, ours: bytes, theirs: bytes, num_rows: int) -> float:
        """Mean absolute difference of two models' answers to the same rows."""
        outputs = self._place.spec.num_outputs
        first, second = (decode_answers(data, num_rows, outputs) for data in (ours, theirs))
        return float(np.abs(first - second).mean())

    def _fit(self, keep_model: bool, progress: OnShare) -> FittedModel:
        result = jobs.fit(
            self._place, self._learner, self._folder / "work", time.time(), progress
        )
        model = replace(result.model, blob=None) if keep_model else result.model
        return FittedModel(model, str(result.path), result.score)

    def _model_path(self, record: ModelRecord) -> Path:
        return self._folder / "models" / f"{record.version}.{record.format}"

    def _share(self, job: ShareRowsOf) -> SharedRows:
        data, places = jobs.share(self._place)
        self._shared[job.owner] = places
        Path(job.rows_path).write_bytes(data)
        return SharedRows(len(places), len(data), sha256_hex(data))

    def _score_answers(self, job: ScoreRows) -> Score:
        places = self._shared.pop(job.owner, None)
        if places is None:
            raise DataError("no rows were shared with this member since the last restart")
        data = Path(job.path).read_bytes() if job.path else job.answers
        return jobs.score_answers(self._place, job.owner, job.model, places, data)


def _judged(owner: PeerId, model: ModelRecord, score: Callable[[], Any]) -> ScoreOrRefusal:
    try:
        return ScoreOrRefusal(score(), None)
    except (DataError, LearningError) as error:
        reason = str(error)[:REASON_LENGTH_MAX]
        return ScoreOrRefusal(None, RefusedModel(owner, model.version, reason))
