"""SessionLedger: what one peer remembers of a run besides its heads, for those that ask later."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from swarm.core.ids import Digest, PeerId, RoundNumber, SessionId
from swarm.federation.effects import Note
from swarm.federation.ledger_entries import (
    PAGE_MAX,
    TEXT_MAX,
    LedgerEntry,
    LedgerPage,
    LedgerRequest,
)

ENTRIES_MAX = 512
"""Entries kept, of all authors."""
ENTRIES_PER_AUTHOR_MAX = 128
OWN_PER_ROUND_MAX = 16
"""Own entries in one round: a flood of bad messages makes few entries, not a thousand."""
SENT_TIMES = 2
"""Pubsub loses messages, so an entry is sent in this many pages; facts anew in each cluster."""
FACTS_EVERY_HEARTBEATS = 10
"""Facts are sent again after this many heartbeats, for peers that came later or missed them."""
KINDS = frozenset(
    {
        "lost", "left", "takeover", "rejected", "quarantined", "partition", "skipped", "disk",
        "started", "paused", "resumed", "stopped", "removed", "readmitted", "threshold", "refused",
        "failed", "learning",
    }
)  # fmt: skip
"""Notes that become entries. Stale contributions, merges and heads are in the records of heads."""
LEAVING = ("left", "disk", "failed")
"""Kinds of notes about a peer that said goodbye."""


class SessionLedger:
    """Keeps own entries and those of peers of the same cluster: they outlive their authors.

    Invariants:
        At most `entries_max` entries, at most `ENTRIES_PER_AUTHOR_MAX` of one author. The author
        with the most loses its oldest first, so that no peer can drive out another's.
        The same kind about the same peer is noted once in a round. A peer that left is not noted
        as lost.
        Of each fact (`ledger_entries.FACTS`) only its author's newest is kept; it is forgotten
        last.
    """

    def __init__(
        self,
        session: SessionId,
        me: PeerId,
        sign: Callable[[Digest], bytes],
        entries_max: int = ENTRIES_MAX,
    ) -> None:
        self._session = session
        self._me = me
        self._sign = sign
        self._entries_max = entries_max
        self._entries: dict[tuple[PeerId, int], LedgerEntry] = {}
        self._places: dict[tuple[PeerId, int], int] = {}
        self._counts: Counter[PeerId] = Counter()
        self._num_kept = 0
        self._sequence = 0
        self._round = RoundNumber(0)
        self._noted: set[tuple[str, PeerId | None]] = set()
        self._to_send: dict[tuple[PeerId, int], int] = {}
        self._facts: dict[tuple[PeerId, str], int] = {}
        """The sequence of the newest, by author and kind."""
        self._cluster = ""
        self._num_heartbeats = 0
        self._unsaved = False

    @property
    def num_kept(self) -> int:
        """Number of entries ever kept: it grows with each new one."""
        return self._num_kept

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """All entries kept, in the order in which they came."""
        return tuple(self._entries.values())

    @property
    def names(self) -> dict[PeerId, str]:
        """The names by which peers introduced themselves."""
        return {e.author: e.text for e in self._entries.values() if e.kind == "name"}

    def resume(self, entries: Iterable[LedgerEntry]) -> None:
        """Take back the entries that an earlier life of this peer kept."""
        for entry in entries:
            self.keep(entry)
        self._unsaved = False

    def note(self, note: Note, number: RoundNumber, unix_s: float) -> None:
        """Make an entry of a note, if it is of a kind that people ask about later."""
        if number != self._round:
            self._round, self._noted = number, set()
        key = (note.kind, note.about)
        if note.kind == "lost" and self._noted & {(kind, note.about) for kind in LEAVING}:
            return  # it said that it leaves
        if note.kind not in KINDS or key in self._noted or len(self._noted) >= OWN_PER_ROUND_MAX:
            return
        self._noted.add(key)
        self._write(note.kind, note.about, note.text, number, unix_s)

    def introduce(self, facts: Mapping[str, str], unix_s: float) -> None:
        """Make entries of this peer's name and site, unless an earlier life made the same."""
        for kind, text in facts.items():
            sequence = self._facts.get((self._me, kind))
            held = self._entries[self._me, sequence] if sequence is not None else None
            if held is None or held.text != text:
                self._write(kind, self._me, text, RoundNumber(0), unix_s)

    def _write(
        self, kind: str, about: PeerId | None, text: str, number: RoundNumber, unix_s: float
    ) -> None:
        self._sequence = max(self._sequence + 1, int(unix_s * 1000))
        entry = LedgerEntry(
            session=self._session,
            author=self._me,
            sequence=self._sequence,
            unix_s=max(0.0, unix_s),
            kind=kind,
            round=number,
            subject=about,
            text=text[:TEXT_MAX],
        )
        entry = entry.signed(self._sign(entry.digest))
        self.keep(entry)
        self._to_send[entry.key] = SENT_TIMES

    def take_page(self, page: LedgerPage, neighbours: Collection[PeerId]) -> None:
        """Keep what a peer of the cluster reports itself, not what it heard from others."""
        if page.sender in neighbours:
            for entry in page.entries:
                if entry.author == page.sender:
                    self.keep(entry)

    def keep(self, entry: LedgerEntry) -> bool:
        """Remember an entry whose signature was checked; return whether it is new."""
        if entry.key in self._entries or entry.session != self._session:
            return False
        if entry.is_fact and not self._replaces(entry):
            return False
        self._entries[entry.key] = entry
        self._places[entry.key] = self._num_kept
        self._num_kept += 1
        self._counts[entry.author] += 1
        if entry.author == self._me:
            self._sequence = max(self._sequence, entry.sequence)
        if self._counts[entry.author] > ENTRIES_PER_AUTHOR_MAX:
            self._forget_oldest_of(entry.author)
        elif len(self._entries) > self._entries_max:
            self._forget_oldest_of(self._counts.most_common(1)[0][0])
        self._unsaved = True
        return True

    def next_page(self, cluster: str) -> LedgerPage | None:
        """Return the entries to send to the cluster; None if there are none.

        Args:
            cluster: The cluster that will get them. A new one gets this peer's facts at once.
        """
        self._num_heartbeats += 1
        if cluster != self._cluster or self._num_heartbeats % FACTS_EVERY_HEARTBEATS == 0:
            self._cluster = cluster
            mine = [(a, sequence) for (a, _), sequence in self._facts.items() if a == self._me]
            self._to_send |= dict.fromkeys(mine, SENT_TIMES)
        keys = list(self._to_send)[:PAGE_MAX]
        for key in keys:
            self._to_send[key] -= 1
            if not self._to_send[key]:
                del self._to_send[key]
        entries = tuple(self._entries[key] for key in keys if key in self._entries)
        return LedgerPage(self._session, self._me, entries, None) if entries else None

    def answer(self, request: LedgerRequest) -> LedgerPage:
        """The entries from a place on; all of them if the place is from before a restart."""
        first = request.first if request.first <= self._num_kept else 0
        later = [key for key, place in self._places.items() if place >= first]
        entries = tuple(self._entries[key] for key in later[:PAGE_MAX])
        more = len(later) > PAGE_MAX
        place = self._places[later[PAGE_MAX]] if more else self._num_kept
        return LedgerPage(self._session, self._me, entries, place, more)

    def unsaved(self) -> tuple[LedgerEntry, ...] | None:
        """All entries if some are new since the last call, else None."""
        if not self._unsaved:
            return None
        self._unsaved = False
        return self.entries

    def _replaces(self, fact: LedgerEntry) -> bool:
        """Make room for a fact, if it is about its author and newer than the one known."""
        kept = self._facts.get((fact.author, fact.kind))
        if fact.subject != fact.author or (kept is not None and kept > fact.sequence):
            return False
        if kept is not None:
            self._forget((fact.author, kept))
        self._facts[fact.author, fact.kind] = fact.sequence
        return True

    def _forget_oldest_of(self, author: PeerId) -> None:
        keys = [key for key in self._entries if key[0] == author]
        self._forget(next((k for k in keys if not self._entries[k].is_fact), keys[0]))

    def _forget(self, key: tuple[PeerId, int]) -> None:
        entry = self._entries.pop(key)
        del self._places[key]
        self._counts[entry.author] -= 1
        if entry.is_fact:
            del self._facts[entry.author, entry.kind]
