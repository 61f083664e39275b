"""AskedQuestion: one question under way: the owners asked, their answers, when to stop waiting."""

from collections.abc import Callable
from dataclasses import dataclass, field

from swarm.core.blobs import BlobRef
from swarm.core.ids import Digest, PeerId
from swarm.ensemble.effects import CountedAnswer
from swarm.ensemble.messages import Answer, Payload

NO_ANSWER = "no answer in time"


@dataclass(slots=True)
class Attempt:
    """One peer that was asked for the answer of one owner's model."""

    peer: PeerId
    asked_s: float
    version: Digest | None = None
    """The version that must answer; None for the peer's own champion."""
    arriving: Answer | None = None
    """An answer whose blob is being fetched."""


@dataclass(slots=True)
class AskedQuestion:
    """A question under way.

    Invariants:
        Of each owner at most one answer counts, and it has one version.
        An owner is open, counted, or missing with a reason.
    """

    number: int
    rows: Payload
    began_s: float
    due_s: float
    num_needed: int
    attempts: dict[PeerId, list[Attempt]]
    """By owner: the owner itself, then at most one peer that keeps a copy."""
    counted: dict[PeerId, CountedAnswer] = field(default_factory=dict)
    missing: dict[PeerId, str] = field(default_factory=dict)
    hedged: set[PeerId] = field(default_factory=set)
    """Owners for which a peer with a copy was asked."""

    @property
    def open(self) -> tuple[PeerId, ...]:
        """Owners that may still answer."""
        return tuple(
            owner
            for owner in self.attempts
            if owner not in self.counted and owner not in self.missing
        )

    @property
    def has_quorum(self) -> bool:
        """Whether enough owners answered."""
        return len(self.counted) >= self.num_needed

    @property
    def can_reach_quorum(self) -> bool:
        """Whether enough owners may still answer."""
        return len(self.counted) + len(self.open) >= self.num_needed

    @property
    def blobs(self) -> frozenset[BlobRef]:
        """Answers that are blobs, here or on their way."""
        counted = (answer.answers.blob for answer in self.counted.values())
        arriving = (
            attempt.arriving.answers.blob
            for attempts in self.attempts.values()
            for attempt in attempts
            if attempt.arriving is not None
        )
        return frozenset(blob for blob in (*counted, *arriving) if blob is not None)

    def attempt(self, owner: PeerId, peer: PeerId) -> Attempt | None:
        """The attempt at this peer for an owner that is still open."""
        if owner not in self.open:
            return None
        return next((a for a in self.attempts[owner] if a.peer == peer), None)

    def count(self, answer: Answer) -> None:
        """Count an answer; later ones of the same owner do not count."""
        self.counted[answer.owner] = CountedAnswer(
            answer.owner, answer.version, answer.answers, answer.sender
        )

    def end_attempt(self, owner: PeerId, peer: PeerId, reason: str) -> None:
        """Note that a peer will not answer for an owner; without another, the owner is missing."""
        if owner not in self.open:
            return
        left = [attempt for attempt in self.attempts[owner] if attempt.peer != peer]
        self.attempts[owner] = left
        if not left:
            self.missing[owner] = reason

    def wait_until_s(self, patience_s: Callable[[PeerId], float]) -> float:
        """When this question ends, if nothing comes before.

        With a quorum, it ends when the last open owner is later than it usually is.
        """
        if not self.open or not self.can_reach_quorum:
            return self.began_s
        if not self.has_quorum:
            return self.due_s
        last_s = max(
            attempt.asked_s + patience_s(attempt.peer)
            for owner in self.open
            for attempt in self.attempts[owner]
        )
        return min(self.due_s, last_s)

    def in_words(self) -> tuple[tuple[PeerId, str], ...]:
        """Owners without a counted answer, and why, in the order of their ids."""
        late = dict.fromkeys(self.open, NO_ANSWER)
        return tuple(sorted({**self.missing, **late}.items()))
