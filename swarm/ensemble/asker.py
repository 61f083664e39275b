"""Asker: one asker's part in an ensemble: finds members, asks them, says which answers count.

There is no coordinator. The asker sends a question to each present member that has a model. It
ends the question when all have answered, when the quorum has answered and the others are later
than they usually are, when no quorum can come any more, or at the deadline.
"""

import math
from collections.abc import Callable
from typing import Any

from swarm.core.blobs import BlobRef
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    FetchBlob,
    KeepBlobs,
    KeepConnected,
    PeerConnected,
    PeerUnreachable,
    Send,
    Subscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.ensemble.asked_question import AskedQuestion, Attempt
from swarm.ensemble.effects import (
    AnswersJudged,
    AskerStarted,
    AskRequested,
    Combine,
    Note,
    QuestionFailed,
)
from swarm.ensemble.member_latencies import Latencies
from swarm.ensemble.messages import (
    Answer,
    CardRequest,
    MemberCard,
    MemberGoodbye,
    MemberHeartbeat,
    Question,
    Refusal,
)
from swarm.ensemble.records import ModelRecord
from swarm.ensemble.roster import HEARTBEAT_EVERY_S, Roster
from swarm.ensemble.spec import EnsembleSpec
from swarm.ensemble.topics import ensemble_topic
from swarm.ensemble.trust import Trust

QUESTIONS_MAX = 256
"""Most questions under way."""
ANSWERS_KEPT_S = 30.0
"""Seconds for which answers that are blobs are kept after their question, to be combined."""
HEDGE_FACTOR = 1.5
"""A copy is asked when an owner is later than this multiple of its usual latency."""
HEDGE_MIN_S = 0.02
TICK, WAIT = "asker tick", "asker wait"
_UNREACHABLE = "it cannot be reached"


class Asker:
    """Deterministic machine of one asker; see `swarm.core.machine.Machine`.

    Invariants:
        Each `AskRequested` ends with one `Combine` or one `QuestionFailed`, by its deadline.
        `Combine` has at least the quorum of the members that were present when it was asked, and
        one answer of each owner at most.
    """

    def __init__(self, me: PeerId, spec: EnsembleSpec) -> None:
        self.me = me
        self.spec = spec
        self.roster = Roster()
        self.latencies = Latencies()
        self._trust = Trust()
        self._questions: dict[int, AskedQuestion] = {}
        self._kept_peers: tuple[PeerId, ...] = ()
        self._kept_blobs: frozenset[BlobRef] = frozenset()
        self._ended_blobs: dict[BlobRef, float] = {}
        """Answers to questions that are over, and until when the driver may read them."""
        self._late: dict[tuple[int, PeerId], float] = {}
        """When members were asked whose answers came not in time, to learn how slow they are."""
        self._handlers: dict[type[Event], Callable[[Any, float], list[Effect]]] = {
            AskerStarted: self._start,
            PeerConnected: self._meet,
            PeerUnreachable: self._lose,
            MemberHeartbeat: self._take_heartbeat,
            MemberCard: self._take_card,
            MemberGoodbye: self._part,
            AskRequested: self._ask,
            Answer: self._take_answer,
            Refusal: self._take_refusal,
            BlobArrived: self._take_blob,
            BlobMissing: self._miss_blob,
            AnswersJudged: self._judge,
            TimerFired: self._fire,
        }

    @property
    def distrusted(self) -> frozenset[PeerId]:
        """Members that have lost their weight."""
        return frozenset(self._trust.lost)

    @property
    def distrust_reasons(self) -> dict[PeerId, str]:
        """Members that have lost their weight, each with the reason in words."""
        return self._trust.lost

    @property
    def num_under_way(self) -> int:
        """Questions that are not over."""
        return len(self._questions)

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        """Apply one event; see `swarm.core.machine.Machine.handle`."""
        if getattr(event, "ensemble", self.spec.id) != self.spec.id:
            return []
        handler = self._handlers.get(type(event))
        if handler is None:
            return []
        effects = handler(event, now_s)
        effects += self._end_questions(now_s)
        return effects + self._keep(now_s)

    # -- members

    def _start(self, event: AskerStarted, now_s: float) -> list[Effect]:
        return [
            Subscribe(ensemble_topic(self.spec.id)),
            SetTimer(TICK, now_s + HEARTBEAT_EVERY_S),
        ]

    def _meet(self, event: PeerConnected, now_s: float) -> list[Effect]:
        return [Send(event.peer, CardRequest(self.spec.id, self.me))]

    def _lose(self, event: PeerUnreachable, now_s: float) -> list[Effect]:
        self.roster.note_lost(event.peer)
        return self._end_attempts(event.peer, _UNREACHABLE, now_s)

    def _part(self, event: MemberGoodbye, now_s: float) -> list[Effect]:
        self.roster.forget(event.sender)
        return self._end_attempts(event.sender, "it has left", now_s)

    def _take_heartbeat(self, event: MemberHeartbeat, now_s: float) -> list[Effect]:
        if self.roster.take_heartbeat(event, now_s):
            return [Send(event.sender, CardRequest(self.spec.id, self.me))]
        return []

    def _take_card(self, event: MemberCard, now_s: float) -> list[Effect]:
        if self.roster.take_card(event, now_s):
            self._review(now_s)
        return []

    def _review(self, now_s: float) -> None:
        cards = self.roster.cards
        champions = ((peer, card.champion) for peer, card in cards.items())
        self._trust.review(((p, c.version if c else None) for p, c in champions), now_s)
        self.latencies.keep(cards)

    # -- questions

    def _ask(self, event: AskRequested, now_s: float) -> list[Effect]:
        if len(self._questions) >= QUESTIONS_MAX:
            reason = f"{QUESTIONS_MAX} questions are under way already"
            return [QuestionFailed(event.number, ((self.me, reason),), 0, 1)]
        if event.number in self._questions:
            return []
        lost, cards = self._trust.lost, self.roster.cards
        present = self.roster.present(now_s)
        able = [peer for peer in present if cards[peer].champion and peer not in lost]
        within_s = event.within_s or self.spec.deadline_s
        question = AskedQuestion(
            event.number,
            event.rows,
            now_s,
            now_s + within_s,
            max(1, math.ceil(self.spec.quorum * len(able) - 1e-9)),
            {peer: [Attempt(peer, now_s)] for peer in able},
        )
        question.missing = {
            peer: f"it is left out: {reason}" for peer, reason in lost.items() if peer in present
        } | {peer: "it has no model yet" for peer in present if cards[peer].champion is None}
        self._questions[event.number] = question
        effects: list[Effect] = [self._question(question, peer, None, peer) for peer in able]
        for owner, card in cards.items():
            if owner not in present and owner not in lost and card.champion is not None:
                question.attempts[owner] = []
                effects += self._ask_copy(question, owner, now_s)
                if not question.attempts[owner]:
                    del question.attempts[owner]
                    question.missing[owner] = _UNREACHABLE
        return effects

    def _question(
        self, question: AskedQuestion, owner: PeerId, copy: ModelRecord | None, peer: PeerId
    ) -> Send:
        version = copy.version if copy is not None else None
        asked_s = question.attempts[owner][-1].asked_s
        within_s = max(question.due_s - asked_s, 0.001)
        message = Question(
            self.spec.id, self.me, question.number, owner, version, within_s, question.rows
        )
        return Send(peer, message)

    def _ask_copy(self, question: AskedQuestion, owner: PeerId, now_s: float) -> list[Effect]:
        """Ask a peer that keeps a copy of an owner's model, the fastest; at most once."""
        card = self.roster.card(owner)
        champion = card.champion if card is not None else None
        if champion is None or owner in question.hedged:
            return []
        cards = self.roster.cards
        keepers = [
            peer
            for peer in self.roster.present(now_s)
            if peer != owner
            and champion.version in cards[peer].keeps
            and peer not in self._trust.lost
        ]
        if not keepers:
            return []
        keeper = min(keepers, key=lambda peer: (self.latencies.usual_s(peer), peer))
        question.hedged.add(owner)
        question.attempts[owner].append(Attempt(keeper, now_s, champion.version))
        return [self._question(question, owner, champion, keeper)]

    def _take_answer(self, event: Answer, now_s: float) -> list[Effect]:
        question = self._questions.get(event.number)
        if question is None:
            asked_s = self._late.pop((event.number, event.sender), None)
            if asked_s is not None and event.owner == event.sender:
                self.latencies.note(event.sender, now_s - asked_s)
            return []
        attempt = question.attempt(event.owner, event.sender)
        if attempt is None or attempt.arriving is not None:
            return []
        self.latencies.note(event.sender, now_s - attempt.asked_s)
        wrong = _wrong(event, attempt, question)
        if wrong:
            return self._end_attempt(question, event.owner, event.sender, wrong, now_s)
        if event.answers.blob is None:
            question.count(event)
            return []
        attempt.arriving = event
        wait_s = max(question.due_s - now_s, 0.001)
        return [FetchBlob(event.answers.blob, (event.sender,), wait_s)]

    def _take_refusal(self, event: Refusal, now_s: float) -> list[Effect]:
        question = self._questions.get(event.number)
        if question is None or question.attempt(event.owner, event.sender) is None:
            return []
        reason = f"{event.reason}: {event.detail}" if event.detail else event.reason
        return self._end_attempt(question, event.owner, event.sender, reason, now_s)

    def _take_blob(self, event: BlobArrived, now_s: float) -> list[Effect]:
        for question, owner, attempt in self._arriving(event.blob):
            answer = attempt.arriving
            if answer is not None and owner not in question.counted:
                question.count(answer)
        return []

    def _miss_blob(self, event: BlobMissing, now_s: float) -> list[Effect]:
        effects: list[Effect] = []
        for question, owner, attempt in self._arriving(event.blob):
            reason = f"its answers could not be fetched: {event.reason}"
            effects += self._end_attempt(question, owner, attempt.peer, reason, now_s)
        return effects

    def _arriving(self, blob: BlobRef) -> list[tuple[AskedQuestion, PeerId, Attempt]]:
        return [
            (question, owner, attempt)
            for question in self._questions.values()
            for owner in question.open
            for attempt in question.attempts[owner]
            if attempt.arriving is not None and attempt.arriving.answers.blob == blob
        ]

    def _end_attempts(self, peer: PeerId, reason: str, now_s: float) -> list[Effect]:
        effects: list[Effect] = []
        for question in self._questions.values():
            for owner in question.open:
                if question.attempt(owner, peer) is not None:
                    effects += self._end_attempt(question, owner, peer, reason, now_s)
        return effects

    def _end_attempt(
        self, question: AskedQuestion, owner: PeerId, peer: PeerId, reason: str, now_s: float
    ) -> list[Effect]:
        """Ask a copy in place of a peer that will not answer."""
        effects = self._ask_copy(question, owner, now_s)
        question.end_attempt(owner, peer, reason)
        return effects

    def _judge(self, event: AnswersJudged, now_s: float) -> list[Effect]:
        notes: list[Effect] = []
        for owner, num_judged, num_off in event.verdicts:
            card = self.roster.card(owner)
            version = card.champion.version if card and card.champion else None
            if card is not None and self._trust.note(owner, version, num_judged, num_off, now_s):
                notes.append(Note("distrusts", f"{owner}: {self._trust.lost[owner]}"))
        return notes

    # -- time

    def _fire(self, event: TimerFired, now_s: float) -> list[Effect]:
        if event.name == TICK:
            self._review(now_s)
            return [SetTimer(TICK, now_s + HEARTBEAT_EVERY_S)]
        effects: list[Effect] = []
        for question in self._questions.values():
            for owner in question.open:
                if now_s >= self._hedge_s(question, owner):
                    effects += self._ask_copy(question, owner, now_s)
        return effects

    def _hedge_s(self, question: AskedQuestion, owner: PeerId) -> float:
        """When a copy is asked, if the owner has not answered by then."""
        if not self.spec.keep_models or owner in question.hedged:
            return math.inf
        asked_s = question.attempts[owner][0].asked_s
        return asked_s + HEDGE_MIN_S + HEDGE_FACTOR * self.latencies.usual_s(owner)

    def _end_questions(self, now_s: float) -> list[Effect]:
        """End the questions that are due, and wait for the next one that will be."""
        effects: list[Effect] = []
        next_s = math.inf
        for question in tuple(self._questions.values()):
            until_s = question.wait_until_s(self.latencies.patience_s)
            if now_s >= until_s:
                effects.append(self._end(question, now_s))
                continue
            hedges = (self._hedge_s(question, owner) for owner in question.open)
            later = (at_s for at_s in hedges if at_s > now_s)
            next_s = min(next_s, until_s, *later)
        if next_s < math.inf:
            effects.append(SetTimer(WAIT, next_s))
        return effects

    def _end(self, question: AskedQuestion, now_s: float) -> Effect:
        del self._questions[question.number]
        self._ended_blobs |= dict.fromkeys(question.blobs, now_s + ANSWERS_KEPT_S)
        for owner in question.open:
            self.latencies.note_missed(owner)
            self._late[question.number, owner] = question.began_s
        while len(self._late) > QUESTIONS_MAX:
            del self._late[next(iter(self._late))]
        if question.has_quorum:
            answers = tuple(question.counted[owner] for owner in sorted(question.counted))
            return Combine(question.number, answers, question.in_words(), question.num_needed)
        return QuestionFailed(
            question.number, question.in_words(), len(question.counted), question.num_needed
        )

    def _keep(self, now_s: float) -> list[Effect]:
        """Say which connections and blobs are wanted, if that has changed."""
        effects: list[Effect] = []
        peers = tuple(peer for peer in self.roster.present(now_s) if peer != self.me)
        if peers != self._kept_peers:
            self._kept_peers = peers
            effects.append(KeepConnected(peers))
        self._ended_blobs = {
            b: until_s for b, until_s in self._ended_blobs.items() if now_s < until_s
        }
        under_way = (b for question in self._questions.values() for b in question.blobs)
        blobs = frozenset((*under_way, *self._ended_blobs))
        if blobs != self._kept_blobs:
            self._kept_blobs = blobs
            effects.append(KeepBlobs(blobs))
        return effects


def _wrong(answer: Answer, attempt: Attempt, question: AskedQuestion) -> str:
    """Why an answer does not count; empty if it does."""
    if answer.answers.num_rows != question.rows.num_rows:
        return f"it answered {answer.answers.num_rows} rows instead of {question.rows.num_rows}"
    if attempt.version is not None and answer.version != attempt.version:
        return "it answered with another version of the copy"
    return ""
