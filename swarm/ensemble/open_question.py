"""OpenQuestion: which members were asked one question, what came back, and when it is over.

Each member whose model is wanted is an owner. The owner is asked, and after its usual time a peer
that keeps a copy. The first good answer counts; all others of the same owner are dropped.
"""

import math
from dataclasses import dataclass, field

from swarm.core.blobs import BlobRef
from swarm.core.ids import Digest, PeerId
from swarm.ensemble.effects import AskRequested, CountedAnswer
from swarm.ensemble.messages import Answer, Payload
from swarm.ensemble.spec import EnsembleSpec

ANSWER_BYTES_MAX = 64
"""Bytes of an answer beside its numbers."""
NUMBER_BYTES = 8
_ROUNDING = 1e-9


@dataclass(slots=True)
class Attempt:
    """One peer that was asked for one owner's answer, and has not answered yet."""

    asked_s: float
    until_s: float
    """Until when it is waited for if its answer is not needed for the quorum."""
    hedge_s: float
    """When a peer with a copy is asked as well."""
    fetched: Answer | None = None
    """An answer whose numbers are a blob on its way."""


@dataclass(slots=True)
class Wanted:
    """One owner."""

    is_present: bool
    """Whether it was present when the question was asked: only then it counts for the quorum."""
    version: Digest | None = None
    """Its champion as its card says; copies must have this version."""
    reason: str = ""
    """Why its answer is missing, in words, as far as that is known."""
    answer: CountedAnswer | None = None
    attempts: dict[PeerId, Attempt] = field(default_factory=dict)
    """Peers that have not answered; their times are noted even if another answer counts."""
    tried: set[PeerId] = field(default_factory=set)

    @property
    def is_open(self) -> bool:
        """Whether an answer may still come."""
        return self.answer is None and bool(self.attempts)


class OpenQuestion:
    """One question under way.

    Invariants:
        An owner has at most one answer, of one version.
        An answer counts only if its sender was asked for this owner.
    """

    def __init__(
        self, spec: EnsembleSpec, request: AskRequested, num_present: int, now_s: float
    ) -> None:
        self.number = request.number
        self.rows: Payload = request.rows
        self.within_s = request.within_s or spec.deadline_s
        self.asked_s = now_s
        self.due_s = now_s + self.within_s
        self.num_needed = max(1, math.ceil(spec.quorum * num_present - _ROUNDING))
        self.owners: dict[PeerId, Wanted] = {}
        numbers = self.rows.num_rows * spec.num_outputs * NUMBER_BYTES
        self._bytes_max = numbers + ANSWER_BYTES_MAX

    @property
    def blobs(self) -> frozenset[BlobRef]:
        """Answers that are fetched, or were."""
        answers = [each.answer.answers for each in self.owners.values() if each.answer is not None]
        answers += [
            attempt.fetched.answers
            for each in self.owners.values()
            for attempt in each.attempts.values()
            if each.is_open and attempt.fetched is not None
        ]
        return frozenset(answer.blob for answer in answers if answer.blob is not None)

    def begin_attempt(
        self, owner: PeerId, peer: PeerId, patience_s: float, hedge_s: float, now_s: float
    ) -> None:
        """Note that a peer is asked for an owner's answer."""
        wanted = self.owners[owner]
        wanted.tried.add(peer)
        wanted.attempts[peer] = Attempt(now_s, now_s + patience_s, now_s + hedge_s)

    def attempt(self, owner: PeerId, peer: PeerId) -> Attempt | None:
        """What a peer was asked for and has not answered; None for nothing."""
        wanted = self.owners.get(owner)
        return wanted.attempts.get(peer) if wanted is not None else None

    def why_unusable(self, answer: Answer) -> str:
        """Why an answer cannot count, in words; empty if it can."""
        wanted = self.owners[answer.owner]
        if answer.sender != answer.owner and answer.version != wanted.version:
            return f"the copy at {answer.sender} has another version"
        num_rows, wanted_rows = answer.answers.num_rows, self.rows.num_rows
        if num_rows != wanted_rows:
            return f"its answer has {num_rows} rows, the question {wanted_rows}"
        blob = answer.answers.blob
        if blob is not None and blob.size_bytes > self._bytes_max:
            return (
                f"its answer has {blob.size_bytes} bytes, at most {self._bytes_max} can be right"
            )
        return ""

    def count(self, answer: Answer) -> None:
        """Count an answer if it is its owner's first; the attempt is over."""
        wanted = self.owners[answer.owner]
        wanted.attempts.pop(answer.sender, None)
        if wanted.answer is not None:
            return
        wanted.answer = CountedAnswer(answer.owner, answer.version, answer.answers, answer.sender)

    def end_attempt(self, owner: PeerId, peer: PeerId, reason: str) -> None:
        """Note that a peer will not answer for an owner."""
        wanted = self.owners[owner]
        wanted.attempts.pop(peer, None)
        if peer == owner or not wanted.reason:
            wanted.reason = reason

    def num_counting(self, distrusted: frozenset[PeerId]) -> int:
        """Answers that count for the quorum."""
        return sum(
            each.answer is not None and each.is_present and owner not in distrusted
            for owner, each in self.owners.items()
        )

    def next_s(self, distrusted: frozenset[PeerId]) -> float:
        """When the question is to be looked at again, if nothing comes until then.

        At its deadline; where answers make up the quorum, when no other is waited for any more;
        or when a copy is to be asked. A time that has passed means that the question is over, or
        that a copy is due.
        """
        return min(self.due_s, self.end_s(distrusted), *self._hedges_s())

    def end_s(self, distrusted: frozenset[PeerId]) -> float:
        """When the question is over, if nothing comes until then; in the past if it is over."""
        has_open = any(each.is_open for each in self.owners.values())
        num_counting = self.num_counting(distrusted)
        may_count = num_counting + sum(
            each.is_open and each.is_present and owner not in distrusted
            for owner, each in self.owners.items()
        )
        if not has_open or may_count < self.num_needed:
            return -math.inf
        if num_counting < self.num_needed:
            return self.due_s
        waits_s = (
            attempt.until_s
            for owner, each in self.owners.items()
            if each.is_open and owner not in distrusted
            for attempt in each.attempts.values()
        )
        return min(self.due_s, max(waits_s, default=-math.inf))

    def owners_to_hedge(self, now_s: float) -> list[PeerId]:
        """Owners that took their usual time and more; each attempt is named once."""
        due: list[PeerId] = []
        for owner, each in self.owners.items():
            if not each.is_open:
                continue
            late = [attempt for attempt in each.attempts.values() if now_s >= attempt.hedge_s]
            for attempt in late:
                attempt.hedge_s = math.inf
            if late:
                due.append(owner)
        return due

    def answers(self) -> tuple[CountedAnswer, ...]:
        """The answers so far, in the order of their owners."""
        every = (self.owners[owner].answer for owner in sorted(self.owners))
        return tuple(answer for answer in every if answer is not None)

    def missing(self, now_s: float) -> tuple[tuple[PeerId, str], ...]:
        """Owners without an answer, and why."""
        return tuple(
            (owner, self._why_missing(each, now_s))
            for owner, each in sorted(self.owners.items())
            if each.answer is None
        )

    def _why_missing(self, wanted: Wanted, now_s: float) -> str:
        if wanted.reason:
            return wanted.reason
        return f"it did not answer within {now_s - self.asked_s:.2f} s"

    def _hedges_s(self) -> list[float]:
        return [
            attempt.hedge_s
            for each in self.owners.values()
            if each.is_open
            for attempt in each.attempts.values()
        ]
