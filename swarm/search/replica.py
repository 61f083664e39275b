"""Replica: this peer's copy of the ledger; reads the coordinator's copy, or publishes its own."""

from collections.abc import Sequence

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
    """Keeps the ledger equal to the coordinator's, or the other peers' equal to this one.

    Invariant: while this peer coordinates, each of its first `num_published` entries was
    published or was there when its term began.
    """

    def __init__(self, me: PeerId, ledger: StudyLedger) -> None:
        self._me = me
        self._ledger = ledger
        self._study = ledger.spec.id
        self._sync = LedgerSync(NOBODY, 0)
        self._coordinator_has: tuple[int, int | None] | None = None
        """Length and, if known, checksum of the coordinator's ledger, as last heard."""
        self._num_published = 0

    @property
    def has(self) -> tuple[int, int]:
        """Length and checksum of the ledger here."""
        return len(self._ledger), self._ledger.checksum

    @property
    def is_complete(self) -> bool:
        """Whether the ledger here equals the coordinator's."""
        if self._sync.source == self._me or self._coordinator_has == self.has:
            return True
        return self._coordinator_has == (self._sync.next_index, None)

    @property
    def is_published(self) -> bool:
        """Whether there is nothing new to publish."""
        return self._num_published == len(self._ledger)

    def follow(self, coordinator: PeerId, term: int) -> None:
        """Read this coordinator's ledger from now on or, if it is this peer, publish ours."""
        self._sync = LedgerSync(coordinator, term)
        self._coordinator_has = None
        self._num_published = len(self._ledger)

    def compare(
        self, heartbeat: CoordinatorHeartbeat, *, is_new: bool, now_s: float
    ) -> list[Effect]:
        """Learn the state of the coordinator's ledger; send the entries it lacks.

        Args:
            heartbeat: The coordinator's.
            is_new: Whether this is the first heartbeat of this coordinator and term.
            now_s: Now.
        """
        self._coordinator_has = (heartbeat.length, heartbeat.checksum)
        if self.is_complete:
            self._sync.mark_equal(self._ledger)
            return []
        if is_new:
            return self._send_missing(tail(self._ledger))
        if self._sync.next_index >= heartbeat.length:
            return self._send_missing(self._sync.take_surplus(self._ledger, now_s))
        return []

    def take_page(self, page: StudyLedgerPage) -> list[Entry]:
        """Adopt the coordinator's entries; return those that changed the ledger."""
        sync = self._sync
        if (page.sender, page.term) != (sync.source, sync.term):
            return []
        changed = [entry for entry in sync.take_page(page) if self._ledger.adopt(entry)]
        if page.length > self._coordinator_length:
            self._coordinator_has = (page.length, None)  # the next heartbeat has its checksum
        return changed

    def read_on(self, now_s: float) -> list[Effect]:
        """Request the next page, if there is more."""
        sync = self._sync
        if sync.source == self._me or not sync.wants_page(self._coordinator_length, now_s):
            return []
        return self.request_page(sync.next_index)

    def request_page(self, start: int) -> list[Effect]:
        """Request the page of the coordinator's ledger that begins here."""
        return [Send(self._sync.source, StudyLedgerRequest(self._study, self._me, start))]

    def answer(self, request: StudyLedgerRequest) -> list[Effect]:
        """Send the requested page of the ledger here."""
        start = min(request.start, len(self._ledger))
        piece = next(batches(self._ledger.entries[start : start + BATCH_MAX]), ())
        return [Send(request.sender, self._page(start, piece))]

    def publish(self) -> list[Effect]:
        """Publish what is new."""
        pages: list[Effect] = []
        for piece in batches(self._ledger.entries[self._num_published :]):
            page = self._page(self._num_published, piece)
            pages.append(Publish(study_topic(self._study), page))
            self._num_published += len(piece)
        return pages

    @property
    def _coordinator_length(self) -> int:
        return self._coordinator_has[0] if self._coordinator_has is not None else 0

    def _page(self, start: int, entries: tuple[Entry, ...]) -> StudyLedgerPage:
        term = self._sync.term
        return StudyLedgerPage(self._study, self._me, term, start, entries, len(self._ledger))

    def _send_missing(self, entries: Sequence[Entry]) -> list[Effect]:
        source, term = self._sync.source, self._sync.term
        return [
            Send(source, MissingEntries(self._study, self._me, term, piece))
            for piece in batches(entries)
        ]
