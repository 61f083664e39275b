"""MemberWork: what a member's driver and its child processes do, on virtual time.

A model is a number: its loss, which follows from its version. So every member scores it alike, and
checkers know which of two models is worse. An answer names the version that gave it.
"""

import hashlib
import random
from collections.abc import Callable
from typing import Any

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect, Event
from swarm.ensemble.effects import (
    Audit,
    Compare,
    Compared,
    Fit,
    FitFailed,
    FitProgressed,
    Fitted,
    Note,
    NotPredicted,
    NotScored,
    Predict,
    Predicted,
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
from swarm.ensemble.messages import Payload
from swarm.ensemble.records import (
    QUANTILES,
    Comparison,
    ModelRecord,
    RefusedModel,
    Residuals,
    Score,
)
from swarm.simulation.clock import Clock
from swarm.simulation.ensemble.faults import EnsembleFaults
from swarm.simulation.ensemble.peers import AnswerEvent, MemberPeer

MODEL_BYTES = 100_000
FIT_S = (1.0, 4.0)
SCORE_S = (0.05, 0.5)
PREDICT_S = (0.002, 0.05)
SLOW_PREDICT_S = (0.8, 1.2)
SHARED_ROWS = 50


class MemberWork:
    """Carries out the effects that only members have."""

    def __init__(
        self, plan: EnsembleFaults, clock: Clock, chance: random.Random, answer: AnswerEvent
    ) -> None:
        self.num_fitted = 0
        """Fits that are over, of all members."""
        self._plan = plan
        self._clock = clock
        self._chance = chance
        self._answer = answer
        self._serial = 0

    @property
    def carriers(self) -> dict[type[Effect], Callable[[Any, Any], None]]:
        """The function for each kind of effect."""
        return {
            Fit: self._fit,
            Serve: self._serve,
            SaveMember: self._save,
            ScoreModel: self._score_model,
            ShareRows: self._share_rows,
            ScoreAnswers: self._score_answers,
            Summarise: self._summarise,
            Compare: self._compare,
            Predict: self._predict,
            Audit: lambda peer, effect: None,
            Note: lambda peer, effect: None,
        }

    # -- own models

    def _save(self, peer: MemberPeer, effect: SaveMember) -> None:
        peer.saved = effect
        kept = (effect.champion, effect.challenger, effect.previous)
        peer.files = {model.version for model in kept if model is not None}

    def _serve(self, peer: MemberPeer, effect: Serve) -> None:
        for copy in effect.copies:
            if copy.version not in peer.store:
                raise AssertionError(f"{peer.name} serves a copy that is not in its store")
        peer.served = effect

    def _fit(self, peer: MemberPeer, effect: Fit) -> None:
        peer.fits.add(effect.job)
        duration_s = self._chance.uniform(*FIT_S)
        for share in (0.25, 0.5, 0.75):
            self._later(share * duration_s, peer, FitProgressed(effect.job, share))
        self._clock.after(duration_s, self._end_fit, peer, peer.life, effect.job, duration_s)

    def _end_fit(self, peer: MemberPeer, life: int, job: int, duration_s: float) -> None:
        if not peer.alive or peer.life != life:
            return
        if peer.frozen:  # a stopped process computes nothing
            self._clock.after(0.5, self._end_fit, peer, life, job, duration_s)
            return
        peer.fits.discard(job)
        self.num_fitted += 1
        if self._chance.random() < self._plan.fit_failure_rate:
            self._answer(peer, life, FitFailed(job, "out of memory"))
            return
        self._serial += 1
        version = sha256_hex(f"{peer.name} {self._serial}".encode())
        blob = None if peer.name in self._plan.at_home else BlobRef(version, MODEL_BYTES)
        if blob is not None:
            peer.store.add(version)
        now_s = self._clock.now_s
        model = ModelRecord(version, "gbr", "skops", blob, peer.num_rows, now_s, duration_s)
        score = _score(peer.name, version, is_own=True)
        self._answer(peer, life, Fitted(job, model, score))

    def _compare(self, peer: MemberPeer, effect: Compare) -> None:
        losses = loss_of(effect.champion), loss_of(effect.challenger)
        compared = Compared(effect.champion, effect.challenger, Comparison(*losses))
        self._later(self._chance.uniform(*SCORE_S), peer, compared)

    # -- others' models

    def _score_model(self, peer: MemberPeer, effect: ScoreModel) -> None:
        if effect.model.version not in peer.store:
            raise AssertionError(f"{peer.name} scores a model that is not in its store")
        event: Event = Scored(_score(effect.owner, effect.model.version))
        if is_refused(effect.model.version, self._plan.refused_share):
            reason = "type os.system is not allowed"
            event = NotScored(RefusedModel(effect.owner, effect.model.version, reason))
        self._later(self._chance.uniform(*SCORE_S), peer, event)

    def _share_rows(self, peer: MemberPeer, effect: ShareRows) -> None:
        rows = Payload(SHARED_ROWS, b"validation rows")
        event = RowsShared(effect.owner, effect.model.version, rows)
        self._later(self._chance.uniform(*SCORE_S), peer, event)

    def _score_answers(self, peer: MemberPeer, effect: ScoreAnswers) -> None:
        if effect.answers.inline != answers_of(effect.model.version):
            raise AssertionError(f"{peer.name} scores answers of another model")
        event = Scored(_score(effect.owner, effect.model.version))
        self._later(self._chance.uniform(*SCORE_S), peer, event)

    def _summarise(self, peer: MemberPeer, effect: Summarise) -> None:
        versions = tuple(version for _, version in effect.models)
        residuals = Residuals("skill", versions, (0.5,) * QUANTILES, peer.num_rows)
        self._later(self._chance.uniform(*SCORE_S), peer, Summarised(None, residuals))

    # -- questions

    def _predict(self, peer: MemberPeer, effect: Predict) -> None:
        peer.num_predicting += 1
        is_slow = peer.name == self._plan.slow_answers
        delay_s = self._chance.uniform(*(SLOW_PREDICT_S if is_slow else PREDICT_S))
        self._clock.after(delay_s, self._end_predict, peer, peer.life, effect)

    def _end_predict(self, peer: MemberPeer, life: int, effect: Predict) -> None:
        if not peer.alive or peer.life != life:
            return
        peer.num_predicting -= 1
        key = effect.asker, effect.number, effect.owner
        event: Event = NotPredicted(*key, "failed", "the serving process died")
        if self._chance.random() >= self._plan.fit_failure_rate / 10:
            num_rows = effect.rows.num_rows
            answers = Payload(num_rows, answers_of(effect.version))
            num_shadow = num_rows if effect.shadow is not None else 0
            event = Predicted(*key, effect.version, answers, num_shadow, 0.1)
        self._answer(peer, life, event)

    def _later(self, delay_s: float, peer: MemberPeer, event: Event) -> None:
        self._clock.after(delay_s, self._answer, peer, peer.life, event)


def loss_of(version: Digest) -> float:
    """The loss of a model on any rows."""
    return 0.5 + _fraction("loss", version)


def is_refused(version: Digest, share: float) -> bool:
    """Whether members refuse to load a model."""
    return _fraction("refused", version) < share


def answers_of(version: Digest) -> bytes:
    """What a model answers to any rows."""
    return version.encode()


def _fraction(word: str, version: Digest) -> float:
    return int.from_bytes(hashlib.sha256(f"{word} {version}".encode()).digest()[:4]) / 2**32


def _score(owner: PeerId, version: Digest, *, is_own: bool = False) -> Score:
    return Score(owner, version, loss_of(version), 2.0, 50, is_own)
