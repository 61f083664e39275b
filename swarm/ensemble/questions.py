"""Questions: asks members and peers with copies, counts their answers, and ends each question."""

import math

from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobMissing, FetchBlob, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.ensemble.effects import AskRequested, Combine, QuestionFailed
from swarm.ensemble.latencies import Latencies
from swarm.ensemble.messages import Answer, MemberCard, Question, Refusal
from swarm.ensemble.open_question import OpenQuestion, Wanted
from swarm.ensemble.refusal_words import describe_refusal
from swarm.ensemble.roster import Roster
from swarm.ensemble.spec import EnsembleSpec
from swarm.ensemble.trust import Trust

QUESTIONS_MAX = 256
"""Most questions under way; others fail at once."""
BLOBS_HELD_S = 30.0
"""Seconds for which answers that are blobs stay in the store after their question."""


class Questions:
    """The questions under way.

    Invariants:
        A question ends once, at its deadline at the latest.
        There are at most `QUESTIONS_MAX` of them.
    """

    def __init__(
        self, me: PeerId, spec: EnsembleSpec, roster: Roster, latencies: Latencies, trust: Trust
    ) -> None:
        self._me = me
        self._spec = spec
        self._roster = roster
        self._latencies = latencies
        self._trust = trust
        self._open: dict[int, OpenQuestion] = {}
        self._held: dict[BlobRef, float] = {}
        """Answers that are blobs, and until when they are kept."""

    @property
    def num_open(self) -> int:
        """Questions under way."""
        return len(self._open)

    @property
    def blobs(self) -> frozenset[BlobRef]:
        """Answers that are wanted, or still to be read."""
        wanted = (question.blobs for question in self._open.values())
        return frozenset(self._held).union(*wanted)

    @property
    def next_s(self) -> float:
        """When `advance` is due."""
        distrusted = self._trust.distrusted
        every = (question.next_s(distrusted) for question in self._open.values())
        return min(every, default=math.inf)

    def ask(self, request: AskRequested, now_s: float) -> list[Effect]:
        """Ask every member that has a model, and peers with copies of the lost ones."""
        if request.number in self._open:
            return []
        present = self._roster.present(now_s)
        question = OpenQuestion(self._spec, request, len(present), now_s)
        if len(self._open) >= QUESTIONS_MAX:
            reason = f"{QUESTIONS_MAX} questions are under way"
            return [QuestionFailed(request.number, (), 0, question.num_needed, reason)]
        self._open[request.number] = question
        asked: list[Effect] = []
        for owner, card in self._roster.cards.items():
            asked += self._ask_for(question, card, now_s, is_present=owner in present)
        return asked

    def take_answer(self, answer: Answer, now_s: float) -> list[Effect]:
        """Count an answer if it may; its time is noted in any case."""
        question = self._open.get(answer.number)
        if question is None:
            self._latencies.note_late(answer.number, answer.sender, now_s)
            return []
        attempt = question.attempt(answer.owner, answer.sender)
        if attempt is None or attempt.fetched is not None:
            return []
        unusable = question.why_unusable(answer)
        if unusable:
            return self._refuse_answer(question, answer, unusable, now_s)
        blob = answer.answers.blob
        if blob is None or not question.owners[answer.owner].is_open:
            self._count(question, answer, now_s)
            return []
        attempt.fetched = answer
        return [FetchBlob(blob, (answer.sender,), max(0.0, question.due_s - now_s))]

    def take_refusal(self, refusal: Refusal, now_s: float) -> list[Effect]:
        """Note that a peer does not answer, and ask one with a copy."""
        question = self._open.get(refusal.number)
        if question is None or question.attempt(refusal.owner, refusal.sender) is None:
            return []
        reason = describe_refusal(refusal)
        return self._give_up(question, refusal.owner, refusal.sender, reason, now_s)

    def take_blob(self, blob: BlobRef, now_s: float) -> list[Effect]:
        """Count answers whose numbers arrived."""
        for question, _, _, answer in self._fetching(blob):
            self._count(question, answer, now_s)
        return []

    def miss_blob(self, event: BlobMissing, now_s: float) -> list[Effect]:
        """Give up answers whose numbers could not be fetched."""
        reason = f"its answer could not be fetched: {event.reason}"
        return [
            effect
            for question, owner, peer, _ in self._fetching(event.blob)
            for effect in self._give_up(question, owner, peer, reason, now_s)
        ]

    def lose(self, peer: PeerId, reason: str, now_s: float) -> list[Effect]:
        """Wait no longer for a peer that died or left."""
        return [
            effect
            for question in self._open.values()
            for owner in question.owners
            if question.attempt(owner, peer) is not None
            for effect in self._give_up(question, owner, peer, reason, now_s)
        ]

    def advance(self, now_s: float) -> list[Effect]:
        """Ask for copies that are due, and end questions that are over."""
        asked: list[Effect] = []
        for question in tuple(self._open.values()):
            for owner in question.owners_to_hedge(now_s):
                asked += self._ask_copy(question, owner, now_s)
            if now_s >= min(question.due_s, question.end_s(self._trust.distrusted)):
                asked.append(self._end(question, now_s))
        self._held = {blob: until_s for blob, until_s in self._held.items() if now_s < until_s}
        return asked

    def end_all(self, reason: str) -> list[Effect]:
        """End all questions without an answer."""
        failed = [
            QuestionFailed(one.number, (), 0, one.num_needed, reason)
            for one in self._open.values()
        ]
        self._open.clear()
        return [*failed]

    # -- asking

    def _ask_for(
        self, question: OpenQuestion, card: MemberCard, now_s: float, *, is_present: bool
    ) -> list[Effect]:
        owner, champion = card.sender, card.champion
        if champion is None:
            if is_present:
                question.owners[owner] = Wanted(is_present, reason="it has no model yet")
            return []
        wanted = Wanted(is_present, champion.version)
        question.owners[owner] = wanted
        if is_present:
            return self._ask(question, owner, owner, now_s)
        silent_s = self._roster.silent_s(owner, now_s)
        wanted.reason = f"it is lost: nothing was heard of it for {silent_s:.0f} s"
        return self._ask_copy(question, owner, now_s)

    def _ask_copy(self, question: OpenQuestion, owner: PeerId, now_s: float) -> list[Effect]:
        """Ask a peer that keeps the version of a model that its owner's card names."""
        wanted = question.owners[owner]
        if wanted.answer is not None:
            return []
        excluded = wanted.tried | self._trust.distrusted
        holders = [
            peer
            for peer in self._roster.present(now_s)
            if peer not in excluded and self._keeps(peer, wanted)
        ]
        if not holders:
            return []
        return self._ask(question, owner, holders[question.number % len(holders)], now_s)

    def _keeps(self, peer: PeerId, wanted: Wanted) -> bool:
        card = self._roster.card(peer)
        return card is not None and wanted.version in card.keeps

    def _ask(
        self, question: OpenQuestion, owner: PeerId, peer: PeerId, now_s: float
    ) -> list[Effect]:
        num_rows, within_s = question.rows.num_rows, question.due_s - now_s
        if within_s <= 0:
            return []
        patience_s = self._latencies.patience_s(peer, num_rows, question.within_s)
        hedge_s = math.inf
        if self._spec.keep_models:
            hedge_s = self._latencies.hedge_s(peer, num_rows, question.within_s)
        question.begin_attempt(owner, peer, patience_s, hedge_s, now_s)
        # An owner answers with its champion of the moment; a copy must be the one that is meant.
        version = None if peer == owner else question.owners[owner].version
        message = Question(
            self._spec.id, self._me, question.number, owner, version, within_s, question.rows
        )
        return [Send(peer, message)]

    # -- answers

    def _count(self, question: OpenQuestion, answer: Answer, now_s: float) -> None:
        attempt = question.attempt(answer.owner, answer.sender)
        if attempt is not None:
            seconds = now_s - attempt.asked_s
            self._latencies.note_answer(answer.sender, question.rows.num_rows, seconds)
        question.count(answer)

    def _refuse_answer(
        self, question: OpenQuestion, answer: Answer, reason: str, now_s: float
    ) -> list[Effect]:
        asked: list[Effect] = []
        if answer.sender == answer.owner:
            num_rows = question.rows.num_rows
            asked += self._trust.judge(((answer.owner, num_rows, num_rows),))
        return asked + self._give_up(question, answer.owner, answer.sender, reason, now_s)

    def _give_up(
        self, question: OpenQuestion, owner: PeerId, peer: PeerId, reason: str, now_s: float
    ) -> list[Effect]:
        question.end_attempt(owner, peer, reason)
        return self._ask_copy(question, owner, now_s)

    def _fetching(self, blob: BlobRef) -> list[tuple[OpenQuestion, PeerId, PeerId, Answer]]:
        """Attempts whose answer is this blob."""
        return [
            (question, owner, peer, attempt.fetched)
            for question in self._open.values()
            for owner, wanted in question.owners.items()
            for peer, attempt in wanted.attempts.items()
            if attempt.fetched is not None and attempt.fetched.answers.blob == blob
        ]

    # -- the end

    def _end(self, question: OpenQuestion, now_s: float) -> Effect:
        del self._open[question.number]
        self._remember(question, now_s)
        self._held |= dict.fromkeys(question.blobs, now_s + BLOBS_HELD_S)
        missing = question.missing(now_s)
        num_counting = question.num_counting(self._trust.distrusted)
        if num_counting < question.num_needed:
            return QuestionFailed(question.number, missing, num_counting, question.num_needed)
        return Combine(question.number, question.answers(), missing, question.num_needed)

    def _remember(self, question: OpenQuestion, now_s: float) -> None:
        """Keep when peers were asked that have not answered: their late answers are compared."""
        num_rows = question.rows.num_rows
        waited: dict[PeerId, float] = {}
        for wanted in question.owners.values():
            for peer, attempt in wanted.attempts.items():
                waited[peer] = attempt.asked_s
                if now_s >= attempt.until_s:
                    self._latencies.note_missed(peer, num_rows)
        if waited:
            self._latencies.expect_late(question.number, num_rows, waited)
