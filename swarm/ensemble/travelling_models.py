"""TravellingModels: fetches other members' models and has them scored, one after the other."""

from swarm.core.blobs import BlobRef
from swarm.core.effects import FetchBlob
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.ensemble.effects import ScoreModel
from swarm.ensemble.model_scores import Model, ModelScores
from swarm.ensemble.records import ModelRecord, RefusedModel, Score
from swarm.ensemble.roster import Roster

MODEL_BYTES_MAX = 256 * 1024 * 1024
FETCHES_AT_ONCE = 2
"""Models on their way; each may fill much of the disk."""
WAIT_S = 10.0
NOT_FETCHED = "its file could not be fetched"


class TravellingModels:
    """Scores models that their owners send.

    Invariant: one model is scored at a time.
    """

    def __init__(self, roster: Roster, scores: ModelScores) -> None:
        self._roster = roster
        self._scores = scores
        self._fetching: dict[Model, ModelRecord] = {}
        self._here: dict[Model, ModelRecord] = {}
        """Models that arrived; the first of them may be under way."""
        self._scoring: tuple[PeerId, ModelRecord] | None = None

    @property
    def blobs(self) -> frozenset[BlobRef]:
        """Models that are on their way or wait here, and copies."""
        models = (*self._fetching.values(), *self._here.values(), *self._scores.copies.values())
        scoring = (self._scoring[1],) if self._scoring is not None else ()
        return frozenset(model.blob for model in (*models, *scoring) if model.blob is not None)

    def take_blob(self, blob: BlobRef) -> None:
        """Note that a model arrived."""
        for key, model in tuple(self._fetching.items()):
            if model.blob == blob:
                self._here[key] = self._fetching.pop(key)

    def miss_blob(self, blob: BlobRef, now_s: float) -> None:
        """Note that a model could not be fetched; try again later."""
        for key, model in tuple(self._fetching.items()):
            if model.blob == blob:
                del self._fetching[key]
                self._scores.retry_later(*key, NOT_FETCHED, now_s)

    def take_score(self, score: Score) -> bool:
        """Take the score of the model under way; return whether it was that model's."""
        model = self._end(score)
        if model is not None:
            self._scores.take_score(model, score)
        return model is not None

    def take_refusal(self, refusal: RefusedModel) -> bool:
        """Take the refusal of the model under way; return whether it was that model's."""
        model = self._end(refusal)
        if model is not None:
            self._scores.refuse(refusal.owner, refusal.version, refusal.reason)
        return model is not None

    def advance(self, now_s: float) -> list[Effect]:
        """Fetch models that are to be scored, and have the next one scored."""
        asked: list[Effect] = []
        wanted = dict(_keyed(self._scores.to_score(now_s, at_home=False)))
        self._here = {key: model for key, model in self._here.items() if key in wanted}
        for key, model in wanted.items():
            if key not in self._here and not self._is_under_way(key):
                asked += self._fetch(key, model, now_s)
        if self._scoring is None and self._here:
            key = next(key for key in wanted if key in self._here)
            self._scoring = (key[0], self._here.pop(key))
            asked.append(ScoreModel(*self._scoring))
        return asked

    def _fetch(self, key: Model, model: ModelRecord, now_s: float) -> list[Effect]:
        owner, blob = key[0], model.blob
        if blob is None or len(self._fetching) >= FETCHES_AT_ONCE:
            return []
        if blob.size_bytes > MODEL_BYTES_MAX:
            reason = f"the file has {blob.size_bytes} bytes; at most {MODEL_BYTES_MAX} are taken"
            self._scores.refuse(owner, model.version, reason)
            return []
        self._fetching[key] = model
        keepers = [
            peer
            for peer in self._roster.present(now_s)
            if peer != owner and model.version in self._roster.cards[peer].keeps
        ]
        return [FetchBlob(blob, (owner, *keepers), WAIT_S)]

    def _is_under_way(self, key: Model) -> bool:
        scoring = self._scoring
        is_scored = scoring is not None and (scoring[0], scoring[1].version) == key
        return is_scored or key in self._fetching

    def _end(self, result: Score | RefusedModel) -> ModelRecord | None:
        scoring = self._scoring
        if scoring is None or (scoring[0], scoring[1].version) != (result.owner, result.version):
            return None
        self._scoring = None
        return scoring[1]


def _keyed(models: list[tuple[PeerId, ModelRecord]]) -> list[tuple[Model, ModelRecord]]:
    return [((owner, model.version), model) for owner, model in models]
