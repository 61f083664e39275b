"""Replica: this peer's copy of the ledger; it reads the proposer's, or publishes its own."""

from collections.abc import Callable, Sequence

from swarm.core.effects import Publish, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search.batches import batches
from swarm.search.ledger_sync import Following, tail
from swarm.search.messages import (
    BATCH_MAX,
    LedgerGift,
    ProposerBeat,
    StudyLedgerPage,
    StudyLedgerRequest,
)
from swarm.search.study import NOBODY
from swarm.search.study_ledger import Entry, Ledger
from swarm.search.topics import study_topic


class Replica:
    """Keeps the ledger equal to the proposer's, or the others' equal to this one.

    Invariant: while this peer proposes, its first `num_published` entries were published, or were
    there when its term began.
    """

    def __init__(self, me: PeerId, ledger: Ledger, emit: Callable[[Effect], None]) -> None:
        self._me = me
        self._ledger = ledger
        self._emit = emit
        self._study = ledger.spec.id
        self._following = Following(NOBODY, 0)
        self._proposer_has: tuple[int, int | None] | None = None
        """Length and, if told, checksum of the proposer's ledger, by its last word."""
        self._num_published = 0

    @property
    def has(self) -> tuple[int, int]:
        """Length and checksum of the ledger here."""
        return len(self._ledger), self._ledger.checksum

    @property
    def is_complete(self) -> bool:
        """Whether the ledger here equals the proposer's."""
        if self._following.source == self._me or self._proposer_has == self.has:
            return True
        return self._proposer_has == (self._following.next_index, None)

    @property
    def is_published(self) -> bool:
        """Whether there is nothing new to publish."""
        return self._num_published == len(self._ledger)

    def follow(self, proposer: PeerId, term: int) -> None:
        """Read this proposer's ledger from now on, or, if it is us, publish ours."""
        self._following = Following(proposer, term)
        self._proposer_has = None
        self._num_published = len(self._ledger)

    def hear(self, beat: ProposerBeat, *, is_new: bool, now_s: float) -> None:
        """Learn what the proposer has; give it what it lacks."""
        self._proposer_has = (beat.length, beat.checksum)
        if self.is_complete:
            self._following.all_is_there(self._ledger)
        elif is_new:
            self._give(tail(self._ledger))
        elif self._following.next_index >= beat.length:
            self._give(self._following.surplus(self._ledger, now_s))

    def take(self, page: StudyLedgerPage) -> list[Entry]:
        """Take in a page of the proposer's; return the entries that changed the ledger."""
        following = self._following
        if (page.sender, page.term) != (following.source, following.term):
            return []
        taken = [entry for entry in following.take(page) if self._ledger.adopt(entry)]
        if page.length > self._proposer_length:
            self._proposer_has = (page.length, None)  # its checksum comes with its next beat
        return taken

    def read_on(self, now_s: float) -> None:
        """Ask for the next page, if there is more."""
        following = self._following
        if following.source != self._me and following.wants(self._proposer_length, now_s):
            self.request(following.next_index)

    def request(self, start: int) -> None:
        """Ask the proposer for the page that begins here."""
        request = StudyLedgerRequest(self._study, self._me, start)
        self._emit(Send(self._following.source, request))

    def answer(self, request: StudyLedgerRequest) -> None:
        """Send the page that was asked for."""
        start = min(request.start, len(self._ledger))
        piece = next(batches(self._ledger.entries[start : start + BATCH_MAX]), ())
        self._emit(Send(request.sender, self._page(start, piece)))

    def publish(self) -> None:
        """Tell everybody what is new."""
        for piece in batches(self._ledger.entries[self._num_published :]):
            page = self._page(self._num_published, piece)
            self._emit(Publish(study_topic(self._study), page))
            self._num_published += len(piece)

    @property
    def _proposer_length(self) -> int:
        return self._proposer_has[0] if self._proposer_has is not None else 0

    def _page(self, start: int, entries: tuple[Entry, ...]) -> StudyLedgerPage:
        term = self._following.term
        return StudyLedgerPage(self._study, self._me, term, start, entries, len(self._ledger))

    def _give(self, entries: Sequence[Entry]) -> None:
        for piece in batches(entries):
            gift = LedgerGift(self._study, self._me, self._following.term, piece)
            self._emit(Send(self._following.source, gift))
