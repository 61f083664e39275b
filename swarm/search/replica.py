"""Replica: this peer's copy of the ledger; it reads the coordinator's, or publishes its own."""

from collections.abc import Callable, Sequence

from swarm.core.effects import Publish, Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.search.batches import batches
from swarm.search.ledger_sync import LedgerSync, tail
from swarm.search.messages import (
    BATCH_MAX,
    CoordinatorHeartbeat,
    MissingEntries,
    StudyLedgerPage,
    StudyLedgerRequest,
)
from swarm.search.study import NOBODY
from swarm.search.study_ledger import Entry, StudyLedger
from swarm.search.topics import study_topic


class Replica:
    """Keeps the ledger equal to the coordinator's, or the others' equal to this one.

    Invariant: while this peer coordinates, its first `num_published` entries were published or
    were
    there when its term began.
    """

    def __init__(self, me: PeerId, ledger: StudyLedger, emit: Callable[[Effect], None]) -> None:
        self._me = me
        self._ledger = ledger
        self._emit = emit
        self._study = ledger.spec.id
        self._ledger_sync = LedgerSync(NOBODY, 0)
        self._coordinator_has: tuple[int, int | None] | None = None
        """Length and, if told, checksum of the coordinator's ledger, by its last word."""
        self._num_published = 0

    @property
    def has(self) -> tuple[int, int]:
        """Length and checksum of the ledger here."""
        return len(self._ledger), self._ledger.checksum

    @property
    def is_complete(self) -> bool:
        """Whether the ledger here equals the coordinator's."""
        if self._ledger_sync.source == self._me or self._coordinator_has == self.has:
            return True
        return self._coordinator_has == (self._ledger_sync.next_index, None)

    @property
    def is_published(self) -> bool:
        """Whether there is nothing new to publish."""
        return self._num_published == len(self._ledger)

    def follow(self, coordinator: PeerId, term: int) -> None:
        """Read this coordinator's ledger from now on, or, if it is us, publish ours."""
        self._ledger_sync = LedgerSync(coordinator, term)
        self._coordinator_has = None
        self._num_published = len(self._ledger)

    def hear(self, heartbeat: CoordinatorHeartbeat, *, is_new: bool, now_s: float) -> None:
        """Learn what the coordinator has; give it what it lacks."""
        self._coordinator_has = (heartbeat.length, heartbeat.checksum)
        if self.is_complete:
            self._ledger_sync.all_is_there(self._ledger)
        elif is_new:
            self._give(tail(self._ledger))
        elif self._ledger_sync.next_index >= heartbeat.length:
            self._give(self._ledger_sync.surplus(self._ledger, now_s))

    def take(self, page: StudyLedgerPage) -> list[Entry]:
        """Take in a page of the coordinator's; return the entries that changed the ledger."""
        following = self._ledger_sync
        if (page.sender, page.term) != (following.source, following.term):
            return []
        taken = [entry for entry in following.take(page) if self._ledger.adopt(entry)]
        if page.length > self._coordinator_length:
            self._coordinator_has = (page.length, None)  # its checksum comes with its next beat
        return taken

    def read_on(self, now_s: float) -> None:
        """Ask for the next page, if there is more."""
        following = self._ledger_sync
        if following.source != self._me and following.wants(self._coordinator_length, now_s):
            self.request(following.next_index)

    def request(self, start: int) -> None:
        """Ask the coordinator for the page that begins here."""
        request = StudyLedgerRequest(self._study, self._me, start)
        self._emit(Send(self._ledger_sync.source, request))

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
    def _coordinator_length(self) -> int:
        return self._coordinator_has[0] if self._coordinator_has is not None else 0

    def _page(self, start: int, entries: tuple[Entry, ...]) -> StudyLedgerPage:
        term = self._ledger_sync.term
        return StudyLedgerPage(self._study, self._me, term, start, entries, len(self._ledger))

    def _give(self, entries: Sequence[Entry]) -> None:
        for piece in batches(entries):
            missing = MissingEntries(self._study, self._me, self._ledger_sync.term, piece)
            self._emit(Send(self._ledger_sync.source, missing))
