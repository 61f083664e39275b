"""ModelsAtHome: scores models that their owners keep at home, by questions on shared rows.

A member that agreed to share rows sends its validation rows, without targets, as an ordinary
question to the owner, and compares the answers with the targets. A member that did not agree says
so in its card; the model's own out-of-fold score then counts half.
"""

from dataclasses import dataclass

from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobMissing, FetchBlob, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.ensemble.effects import RowsShared, ScoreAnswers, ShareRows
from swarm.ensemble.messages import Answer, Payload, Question, Refusal
from swarm.ensemble.model_scores import ModelScores
from swarm.ensemble.records import ModelRecord, RefusedModel, Score
from swarm.ensemble.spec import EnsembleId

FIRST_NUMBER = 2**62
"""Numbers of these questions begin here; those of askers on the same host are smaller."""
NUMBERS_PER_CARD = 2**20
WITHIN_S = 30.0
ANSWERS_BYTES_MAX = 64 * 1024 * 1024
NOT_SHARED = "the model stays at home, and this member shares no rows (--share-validation-rows)"
_TEMPORARY = ("busy", "leaving", "no-model")


@dataclass(slots=True)
class _Asked:
    """The model that is being scored."""

    owner: PeerId
    model: ModelRecord
    until_s: float
    """When the answer is not waited for any more; infinity while the driver works."""
    number: int = -1
    rows: Payload | None = None
    answers: Payload | None = None


class ModelsAtHome:
    """Scores models that stay at home, one after the other.

    Invariant: rows are sent only if this member shares rows.
    """

    def __init__(
        self, me: PeerId, ensemble: EnsembleId, scores: ModelScores, *, shares_rows: bool
    ) -> None:
        self._me = me
        self._ensemble = ensemble
        self._scores = scores
        self._shares_rows = shares_rows
        self._next_number = FIRST_NUMBER
        self._asked: _Asked | None = None

    @property
    def blobs(self) -> frozenset[BlobRef]:
        """Rows that the owner fetches, and answers to them."""
        if self._asked is None:
            return frozenset()
        payloads = (self._asked.rows, self._asked.answers)
        return frozenset(each.blob for each in payloads if each is not None and each.blob)

    def resume(self, card: int) -> None:
        """Begin a life: its numbers are greater than those of earlier lives."""
        self._next_number = FIRST_NUMBER + card * NUMBERS_PER_CARD

    def take_rows(self, event: RowsShared, now_s: float) -> list[Effect]:
        """Ask the owner about rows."""
        asked = self._asked
        if asked is None or asked.rows is not None:
            return []
        if (event.owner, event.version) != (asked.owner, asked.model.version):
            return []
        asked.rows, asked.number = event.rows, self._next_number
        asked.until_s = now_s + WITHIN_S
        self._next_number += 1
        question = Question(
            self._ensemble,
            self._me,
            asked.number,
            asked.owner,
            asked.model.version,
            WITHIN_S,
            event.rows,
        )
        return [Send(asked.owner, question)]

    def take_answer(self, answer: Answer) -> list[Effect]:
        """Take the owner's answer, and have it scored."""
        asked = self._asked
        if asked is None or asked.answers is not None or not self._is_answered_by(answer):
            return []
        if answer.version != asked.model.version or asked.rows is None:
            return []
        answers, blob = answer.answers, answer.answers.blob
        if answers.num_rows != asked.rows.num_rows:
            self._refuse(f"{answers.num_rows} answers to {asked.rows.num_rows} rows")
            return []
        if blob is not None and blob.size_bytes > ANSWERS_BYTES_MAX:
            self._refuse(f"the answers have {blob.size_bytes} bytes, over {ANSWERS_BYTES_MAX}")
            return []
        asked.answers = answers
        if blob is not None:
            return [FetchBlob(blob, (asked.owner,), WITHIN_S)]
        return self._score(asked, answers)

    def take_blob(self, blob: BlobRef) -> list[Effect]:
        """Have answers scored that arrived."""
        asked = self._asked
        if asked is None or asked.answers is None or asked.answers.blob != blob:
            return []
        return self._score(asked, asked.answers)

    def miss_blob(self, event: BlobMissing, now_s: float) -> None:
        """Ask again later: the answers could not be fetched."""
        asked = self._asked
        if asked is not None and asked.answers is not None and asked.answers.blob == event.blob:
            self._give_up(asked, "its answers could not be fetched", now_s)

    def take_question_refusal(self, refusal: Refusal, now_s: float) -> None:
        """Ask again later, or refuse the model, because its owner did not answer."""
        asked = self._asked
        if asked is None or asked.answers is not None or not self._is_answered_by(refusal):
            return
        reason = f"its owner did not answer: {refusal.reason}"
        if refusal.reason in _TEMPORARY:
            self._give_up(asked, reason, now_s)
        else:
            self._refuse(reason)

    def take_score(self, score: Score) -> bool:
        """Take the score of the model under way; return whether it was that model's."""
        asked = self._asked
        if asked is None or (score.owner, score.version) != (asked.owner, asked.model.version):
            return False
        self._asked = None
        self._scores.take_score(asked.model, score)
        return True

    def take_refusal(self, refusal: RefusedModel) -> bool:
        """Take the refusal of the model under way; return whether it was that model's."""
        asked = self._asked
        if asked is None or refusal.owner != asked.owner:
            return False
        if refusal.version != asked.model.version:
            return False
        self._refuse(refusal.reason)
        return True

    def advance(self, now_s: float) -> list[Effect]:
        """Give up a question that took too long; begin with the next model."""
        if self._asked is not None and now_s >= self._asked.until_s:
            self._give_up(self._asked, "its owner did not answer in time", now_s)
        wanted = self._scores.to_score(now_s, at_home=True)
        if not self._shares_rows:
            for owner, model in wanted:
                self._scores.refuse(owner, model.version, NOT_SHARED)
            return []
        if self._asked is not None or not wanted:
            return []
        owner, model = wanted[0]
        self._asked = _Asked(owner, model, float("inf"))
        return [ShareRows(owner, model)]

    def _score(self, asked: _Asked, answers: Payload) -> list[Effect]:
        asked.until_s = float("inf")
        return [ScoreAnswers(asked.owner, asked.model, answers)]

    def _is_answered_by(self, message: Answer | Refusal) -> bool:
        asked = self._asked
        return asked is not None and (message.sender, message.owner, message.number) == (
            asked.owner,
            asked.owner,
            asked.number,
        )

    def _give_up(self, asked: _Asked, reason: str, now_s: float) -> None:
        self._asked = None
        self._scores.retry_later(asked.owner, asked.model.version, reason, now_s)

    def _refuse(self, reason: str) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            self._scores.refuse(asked.owner, asked.model.version, reason)
