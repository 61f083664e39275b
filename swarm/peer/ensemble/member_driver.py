"""MemberDriver: carries out what one member's machine asks for.

Its child processes fit, score and answer; its folder keeps what must survive a restart. A model is
loaded by the process that answers before the machine hears that it was fitted, so that no question
waits for the swap. Whatever a process does, its job ends in one event.
"""

from datetime import UTC, datetime
from pathlib import Path

import structlog
import trio

from swarm.core.blobs import BlobRef
from swarm.core.errors import StorageError, SwarmError
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event
from swarm.ensemble.effects import (
    Audit,
    Compare,
    Compared,
    Fit,
    FitFailed,
    FitProgressed,
    FitRequested,
    Fitted,
    MemberStarted,
    Note,
    NotScored,
    Predict,
    PromoteRequested,
    RowsShared,
    SaveMember,
    ScoreAnswers,
    Scored,
    ScoreModel,
    Serve,
    ShareRows,
    Summarise,
    Summarised,
)
from swarm.ensemble.member import Member
from swarm.ensemble.messages import Payload
from swarm.ensemble.records import TEXT_LENGTH_MAX, Comparison, ModelRecord, RefusedModel
from swarm.peer.ensemble.ensemble_driver import EnsembleDriver
from swarm.peer.ensemble.ensemble_settings import EnsembleSettings
from swarm.peer.ensemble.member_answers import MemberAnswers
from swarm.peer.ensemble.member_folder import MemberFolder
from swarm.peer.ensemble.member_models import MemberModels
from swarm.peer.ensemble.member_processes import MemberProcesses
from swarm.peer.host.host import Host
from swarm.peer.processes.member_frames import (
    CompareModels,
    FitModel,
    FittedModel,
    ScoreOf,
    ScoreOrRefusal,
    ScoreRows,
    SharedRows,
    ShareRowsOf,
    SummariseModels,
    Summary,
)

log = structlog.get_logger()
SUMMARY_LIMIT_S = 300.0
_DEBUG = ("scored", "heard")
"""Notes that are logged at level debug; the others are for the user."""


class MemberDriver(EnsembleDriver[Member]):
    """Owns the machine of one member.

    Invariant: the folder has what the machine saved before any message that follows is sent.
    """

    def __init__(
        self,
        machine: Member,
        host: Host,
        nursery: trio.Nursery,
        folder: MemberFolder,
        processes: MemberProcesses,
        settings: EnsembleSettings,
    ) -> None:
        key = f"member {folder.spec.id}"
        super().__init__(key, folder.spec.id, machine, host, nursery)
        self.folder = folder
        self._settings = settings
        self._processes = processes
        self._models = MemberModels(key, folder, host)
        self._answers = MemberAnswers(
            key, host, self._models, processes, folder.work, settings.score_limit_s
        )
        self._num_files = 0

    async def start(self, num_rows: int) -> None:
        """Begin, or go on where an earlier life of this member ended.

        A champion that was fitted on other rows than the user's file has now is replaced soon.

        Args:
            num_rows: Labelled rows here.

        Raises:
            ConfigurationError: The folder is damaged.
            StorageError: The disk failed.
        """
        saved = await self._models.restore(self.folder.load())
        if saved is None:
            self.handle(MemberStarted(num_rows))
            return
        self._answers.spare = saved.previous.version if saved.previous is not None else None
        self.handle(
            MemberStarted(
                num_rows,
                saved.card,
                saved.champion,
                saved.challenger,
                saved.previous,
                saved.orders,
                saved.scores,
            )
        )
        champion = self.machine.models.champion
        if champion is not None and not self.folder.has_answers(champion.version):
            self.handle(FitRequested(everyone=False))

    def carry_out_own(self, effect: Effect) -> None:
        """Carry out an effect of a member."""
        match effect:
            case SaveMember():
                self._save(effect)
            case Serve():
                self._nursery.start_soon(self._answers.serve, effect)
            case Predict():
                self.spawn_job(lambda: self._answers.predict(effect))
            case Audit(asker, num_rows, outcome):
                self.folder.audit(asker, num_rows, outcome)
            case Note(kind, text):
                level = log.debug if kind in _DEBUG else log.info
                level(kind, ensemble=self.folder.spec.name, detail=text)
            case _:
                self._compute(effect)

    def _compute(self, effect: Effect) -> None:
        match effect:
            case Fit(job):
                self.spawn_job(lambda: self._fit(job))
            case ScoreModel(owner, model):
                self.spawn_job(lambda: self._score(owner, model))
            case ShareRows(owner, model):
                self.spawn_job(lambda: self._share(owner, model))
            case ScoreAnswers(owner, model, answers):
                self.spawn_job(lambda: self._score_answers(owner, model, answers))
            case Summarise():
                self.spawn_job(lambda: self._summarise(effect))
            case Compare():
                self.spawn_job(lambda: self._compare(effect))

    def _save(self, effect: SaveMember) -> None:
        self.folder.save(effect)
        self._models.keep_only((effect.champion, effect.challenger, effect.previous))
        self._answers.spare = effect.previous.version if effect.previous is not None else None

    # -- jobs: each returns the event that ends it

    async def _fit(self, job: int) -> Event:
        def note_progress(share: float) -> None:
            self.handle(FitProgressed(job, share))

        limit_s = self._settings.fit_limit_s
        job_of_process = FitModel(self._settings.keep_model, datetime.now(UTC).timestamp())
        try:
            fitted = await self._processes.fits.call(
                job_of_process, FittedModel, limit_s, note_progress
            )
            self._models.admit(fitted.model, Path(fitted.path))
            await self._answers.load(fitted.model.version)
            await self._models.offer_fresh()
        except StorageError:
            raise
        except SwarmError as error:
            return FitFailed(job, _short(error))
        return Fitted(job, fitted.model, fitted.score)

    async def _score(self, owner: PeerId, model: ModelRecord) -> Event:
        load = self._models.guest(model)
        if load is None:
            return _not_scored(owner, model, "its file is not here any more")
        limit_s = self._settings.score_limit_s
        try:
            reply = await self._processes.guests.call(
                ScoreOf(owner, model, load.path), ScoreOrRefusal, limit_s
            )
        except SwarmError as error:
            return _not_scored(owner, model, str(error))
        return _scored(owner, model, reply)

    async def _share(self, owner: PeerId, model: ModelRecord) -> Event:
        path = self._new_file("rows")
        try:
            shared = await self._processes.guests.call(
                ShareRowsOf(owner, model, str(path)), SharedRows, self._settings.score_limit_s
            )
        except SwarmError as error:
            return _not_scored(owner, model, str(error))
        blob = BlobRef(shared.digest, shared.size_bytes)
        if blob.is_small:
            payload = Payload(shared.num_rows, inline=path.read_bytes())
        else:
            self._host.outbox.admit(self._key, path, blob)
            payload = Payload(shared.num_rows, blob=blob)
        return RowsShared(owner, model.version, payload)

    async def _score_answers(self, owner: PeerId, model: ModelRecord, answers: Payload) -> Event:
        try:
            path = "" if answers.blob is None else str(self._host.store.path(answers.blob))
            reply = await self._processes.guests.call(
                ScoreRows(owner, model, answers.inline, path),
                ScoreOrRefusal,
                self._settings.score_limit_s,
            )
        except SwarmError as error:
            return _not_scored(owner, model, str(error))
        return _scored(owner, model, reply)

    async def _summarise(self, effect: Summarise) -> Event:
        card = self.machine.card()
        scored = frozenset(score.version for score in card.scores)
        own = frozenset(model.version for model in self.machine.models.kept)
        self.folder.keep_answers(scored | own, datetime.now(UTC).timestamp())
        try:
            summary = await self._processes.guests.call(
                SummariseModels(effect.models, effect.scores), Summary, SUMMARY_LIMIT_S
            )
        except SwarmError as error:
            log.warning("not summarised", ensemble=self.folder.spec.name, reason=str(error))
            return Summarised(None, None)
        return Summarised(summary.moments, summary.residuals)

    async def _compare(self, effect: Compare) -> Event:
        champion = self._models.record(effect.champion)
        challenger = self._models.record(effect.challenger)
        comparison: Comparison | None = None
        if self._is_of_other_rows(effect):
            self.handle(PromoteRequested())
        elif champion is not None and challenger is not None:
            try:
                comparison = await self._processes.fits.call(
                    CompareModels(champion, challenger), Comparison, SUMMARY_LIMIT_S
                )
            except SwarmError as error:
                log.warning("not compared", ensemble=self.folder.spec.name, reason=str(error))
        return Compared(effect.champion, effect.challenger, comparison)

    def _is_of_other_rows(self, effect: Compare) -> bool:
        """Whether the champion, unlike its challenger, never answered the rows of today."""
        challenger = self.machine.models.challenger
        is_current = challenger is not None and challenger.version == effect.challenger
        has = self.folder.has_answers
        return is_current and has(effect.challenger) and not has(effect.champion)

    def _new_file(self, kind: str) -> Path:
        self._num_files += 1
        return self.folder.work / f"job-{self._num_files}.{kind}"


def _scored(owner: PeerId, model: ModelRecord, reply: ScoreOrRefusal) -> Event:
    if reply.score is not None:
        return Scored(reply.score)
    if reply.refusal is not None:
        return NotScored(reply.refusal)
    return _not_scored(owner, model, "it was not scored")


def _not_scored(owner: PeerId, model: ModelRecord, reason: str) -> NotScored:
    return NotScored(RefusedModel(owner, model.version, reason[:TEXT_LENGTH_MAX]))


def _short(error: Exception) -> str:
    return str(error)[:TEXT_LENGTH_MAX]
