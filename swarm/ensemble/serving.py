"""Serving: which questions a member takes, in which order, and what it sends back.

A question is refused at once, or it is queued. The serving process has a few at a time. A queued
question is dropped when its deadline has passed. The version is chosen when a question is begun,
so an answer never mixes two versions.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobMissing, FetchBlob, Send
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Effect
from swarm.ensemble.budgets import Budgets
from swarm.ensemble.effects import Audit, NotPredicted, Predict, Predicted
from swarm.ensemble.member_models import MemberModels
from swarm.ensemble.member_settings import ServingLimits
from swarm.ensemble.messages import Answer, Question, Refusal
from swarm.ensemble.records import TEXT_LENGTH_MAX, ModelRecord
from swarm.ensemble.row_fetches import FETCHES_PER_ASKER, RowFetches

ANSWERS_HELD_S = 30.0
"""Seconds for which an asker can fetch answers that are a blob."""
ROWS_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of one question's rows."""
ALL_BYTES_MAX = 4 * ROWS_BYTES_MAX
"""Bytes of the rows of all questions that wait; they lie on the disk."""
WITHIN_MAX_S = 60.0
"""A question waits here for at most this long, whatever it says."""
LATE = "late"
_Key = tuple[PeerId, int, PeerId]


@dataclass(slots=True)
class _Taken:
    """A question that was taken."""

    question: Question
    came_s: float
    version: Digest | None = None
    """The version that answers; None until the question is begun."""
    shadow: Digest | None = None
    rows_missing: BlobRef | None = None
    """Rows that are still being fetched."""

    @property
    def due_s(self) -> float:
        return self.came_s + self.within_s

    @property
    def within_s(self) -> float:
        return min(self.question.within_s, WITHIN_MAX_S)

    @property
    def num_rows(self) -> int:
        return self.question.rows.num_rows

    @property
    def num_bytes(self) -> int:
        return _num_bytes(self.question)


class Serving:
    """Takes, begins and answers questions.

    Invariants:
        A question that is taken ends with one answer, one refusal, or in silence if it is late.
        At most `questions_max` questions are here, and `at_once` of them with the driver.
        An answer has exactly the version that it was begun with.
    """

    def __init__(self, me: PeerId, limits: ServingLimits, models: MemberModels) -> None:
        self._me = me
        self._limits = limits
        self._models = models
        self._budgets = Budgets(limits.budget_rows, limits.budget_s)
        self._ask_from = frozenset(limits.ask_from)
        self._queue: deque[_Taken] = deque()
        self._begun: dict[_Key, _Taken] = {}
        self._fetches = RowFetches()
        self._held: dict[BlobRef, float] = {}
        """Answers that are blobs, and until when they are kept."""

    @property
    def blobs(self) -> frozenset[BlobRef]:
        """Rows of questions, and answers that may still be fetched."""
        taken = (*self._queue, *self._begun.values())
        rows = (item.question.rows.blob for item in taken)
        return frozenset(blob for blob in (*rows, *self._held) if blob is not None)

    def take(
        self, question: Question, copies: Mapping[PeerId, ModelRecord], now_s: float
    ) -> list[Effect]:
        """Take a question, or refuse it at once."""
        key = _key(question)
        if key in self._begun or any(_key(item.question) == key for item in self._queue):
            return []
        reason, detail = self._why_not(question, copies, now_s)
        if reason:
            return self._refuse(question, reason, detail)
        item = _Taken(question, now_s, rows_missing=question.rows.blob)
        self._queue.append(item)
        if item.rows_missing is not None:
            self._fetches.begin(question.sender, item.rows_missing)
            return [FetchBlob(item.rows_missing, (question.sender,), item.within_s)]
        return self.begin_next(copies, now_s)

    def begin_next(self, copies: Mapping[PeerId, ModelRecord], now_s: float) -> list[Effect]:
        """Hand questions to the serving process while it has room; drop those that are late."""
        asked: list[Effect] = []
        waiting: deque[_Taken] = deque()
        while self._queue:
            item = self._queue.popleft()
            if now_s >= item.due_s:
                asked.append(self._audit(item.question, LATE))
            elif item.rows_missing is not None or len(self._begun) >= self._limits.at_once:
                waiting.append(item)
            else:
                asked += self._begin(item, copies)
        self._queue = waiting
        return asked

    def tick(self, copies: Mapping[PeerId, ModelRecord], now_s: float) -> list[Effect]:
        """Drop late questions, and answers that were held long enough."""
        self._held = {blob: until_s for blob, until_s in self._held.items() if now_s < until_s}
        return self.begin_next(copies, now_s)

    def take_rows(self, blob: BlobRef) -> None:
        """Note that rows arrived."""
        self._fetches.end(blob)
        for item in self._queue:
            if item.rows_missing == blob:
                item.rows_missing = None

    def miss_rows(self, event: BlobMissing) -> list[Effect]:
        """Refuse questions whose rows could not be fetched."""
        self._fetches.end(event.blob)
        without = [item for item in self._queue if item.rows_missing == event.blob]
        asked: list[Effect] = []
        for item in without:
            self._queue.remove(item)
            detail = f"the rows could not be fetched: {event.reason}"
            asked += self._refuse(item.question, "bad-rows", detail)
        return asked

    def take_predicted(self, event: Predicted, now_s: float) -> list[Effect]:
        """Send an answer, unless it is too late."""
        item = self._begun.pop((event.asker, event.number, event.owner), None)
        if item is None:
            return []
        question = item.question
        if event.version != item.version or event.answers.num_rows != question.rows.num_rows:
            detail = f"{event.answers.num_rows} answers to {question.rows.num_rows} rows"
            return self._refuse(question, "failed", detail)
        self._models.note_shadow(item.shadow, event.num_shadow, event.disagreement)
        if now_s > item.due_s:
            return [self._audit(question, LATE)]
        if event.answers.blob is not None:
            self._held[event.answers.blob] = now_s + ANSWERS_HELD_S
        answer = Answer(
            question.ensemble,
            self._me,
            event.number,
            event.owner,
            event.version,
            event.answers,
            now_s - item.came_s,
        )
        return [self._audit(question, "answered"), Send(event.asker, answer)]

    def take_not_predicted(self, event: NotPredicted) -> list[Effect]:
        """Refuse a question that could not be answered."""
        item = self._begun.pop((event.asker, event.number, event.owner), None)
        return self._refuse(item.question, event.reason, event.detail) if item else []

    def leave(self) -> list[Effect]:
        """Refuse all questions that are here."""
        every = [*self._begun.values(), *self._queue]
        self._begun.clear()
        self._queue.clear()
        return [effect for item in every for effect in self._refuse(item.question, "leaving", "")]

    def _why_not(
        self, question: Question, copies: Mapping[PeerId, ModelRecord], now_s: float
    ) -> tuple[str, str]:
        """Reason and detail of a refusal; empty if the question is taken."""
        is_stranger = question.sender != self._me
        if is_stranger and self._ask_from and question.sender not in self._ask_from:
            return "not-allowed", "this member answers only the peers that --ask-from names"
        if self._version(question, copies) is None:
            return "no-model", "this member has no such model"
        if _num_bytes(question) > ROWS_BYTES_MAX:
            return "bad-rows", f"the rows of a question have at most {ROWS_BYTES_MAX} bytes"
        what_waits = self._what_waits(question)
        if what_waits:
            return "busy", what_waits
        num_rows, limits = question.rows.num_rows, self._limits
        if is_stranger and not self._budgets.spend(question.sender, num_rows, now_s):
            return "budget", f"{limits.budget_rows} rows in {limits.budget_s:g} s are allowed"
        return "", ""

    def _what_waits(self, question: Question) -> str:
        """What waits, if there is no room for a question; empty if there is."""
        taken = (*self._queue, *self._begun.values())
        if len(taken) >= self._limits.questions_max:
            return f"{len(taken)} questions wait"
        num_rows = sum(item.num_rows for item in taken)
        if taken and num_rows + question.rows.num_rows > self._limits.rows_max:
            return f"{num_rows} rows wait"
        if sum(item.num_bytes for item in taken) + _num_bytes(question) > ALL_BYTES_MAX:
            return "rows of waiting questions fill the space that they may take"
        if question.rows.blob is not None and self._fetches.is_full(question.sender):
            return f"the rows of {FETCHES_PER_ASKER} questions of this asker are on their way"
        return ""

    def _version(self, question: Question, copies: Mapping[PeerId, ModelRecord]) -> Digest | None:
        """The version that answers a question as things stand; None if there is none."""
        if question.owner == self._me:
            model = self._models.champion
        elif question.version is not None:
            model = copies.get(question.owner)
        else:
            return None  # only its owner knows which version is its champion
        if model is None or question.version not in (None, model.version):
            return None
        return model.version

    def _begin(self, item: _Taken, copies: Mapping[PeerId, ModelRecord]) -> list[Effect]:
        question = item.question
        item.version = self._version(question, copies)
        if item.version is None:
            return self._refuse(question, "no-model", "the model was replaced")
        item.shadow = self._models.shadow if question.owner == self._me else None
        self._begun[_key(question)] = item
        return [
            Predict(
                question.sender,
                question.number,
                question.owner,
                item.version,
                question.rows,
                item.shadow,
            )
        ]

    def _refuse(self, question: Question, reason: str, detail: str) -> list[Effect]:
        refusal = Refusal(
            question.ensemble,
            self._me,
            question.number,
            question.owner,
            reason,
            detail[:TEXT_LENGTH_MAX],
        )
        return [self._audit(question, reason), Send(question.sender, refusal)]

    def _audit(self, question: Question, outcome: str) -> Effect:
        return Audit(question.sender, question.rows.num_rows, outcome)


def _key(question: Question) -> _Key:
    return (question.sender, question.number, question.owner)


def _num_bytes(question: Question) -> int:
    blob = question.rows.blob
    return blob.size_bytes if blob is not None else 0
