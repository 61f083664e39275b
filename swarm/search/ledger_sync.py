"""LedgerSync: brings this peer's ledger and its coordinator's to the same entries."""

from collections.abc import Sequence

from swarm.core.ids import PeerId
from swarm.search.batches import MESSAGE_BYTES_MAX, size_bytes
from swarm.search.messages import BATCH_MAX, StudyLedgerPage
from swarm.search.study_ledger import Entry, EntryKey, StudyLedger, entry_key

ASK_AGAIN_AFTER_S = 1.0
SEND_AGAIN_AFTER_S = 2.0


class LedgerSync:
    """How far this peer has read one coordinator's ledger, and what that one lacks.

    Invariant: each of the first `next_index` entries of the source is in our ledger, or breaks
    its rules.
    """

    def __init__(self, source: PeerId, term: int) -> None:
        self.source = source
        self.term = term
        self.next_index = 0
        self._confirmed: set[EntryKey] = set()
        """Keys of the entries that the source is known to have."""
        self._asked_s = float("-inf")
        self._sent_s = float("-inf")

    def mark_equal(self, ledger: StudyLedger) -> None:
        """Note that the source's ledger equals ours."""
        if self.next_index == len(ledger) == len(self._confirmed):
            return
        self.next_index = len(ledger)
        self._confirmed = {entry_key(entry) for entry in ledger.entries}

    def take_page(self, page: StudyLedgerPage) -> Sequence[Entry]:
        """Return the part of a page that comes next; empty if entries before it are missing."""
        if page.start > self.next_index:
            return ()
        entries = page.entries[self.next_index - page.start :]
        if entries:
            self.next_index += len(entries)
            self._confirmed.update(entry_key(entry) for entry in entries)
            self._asked_s = float("-inf")  # the next page may be requested at once
        return entries

    def wants_page(self, length: int, now_s: float) -> bool:
        """Whether to request the next page, given the length of the source's ledger."""
        if self.next_index >= length or now_s - self._asked_s < ASK_AGAIN_AFTER_S:
            return False
        self._asked_s = now_s
        return True

    def take_surplus(self, ledger: StudyLedger, now_s: float) -> list[Entry]:
        """Return the entries that the source lacks, at most once in two seconds.

        Call it when all of the source's ledger was read.
        """
        if now_s < self._sent_s + SEND_AGAIN_AFTER_S:
            return []
        self._sent_s = now_s
        return [entry for entry in ledger.entries if entry_key(entry) not in self._confirmed]


def tail(ledger: StudyLedger) -> list[Entry]:
    """The newest entries that fit in one message: a new coordinator may well lack them."""
    size, start = 0, len(ledger)
    while start and len(ledger) - start < BATCH_MAX:
        size += size_bytes(ledger.entries[start - 1])
        if size > MESSAGE_BYTES_MAX:
            break
        start -= 1
    return ledger.entries[start:]
