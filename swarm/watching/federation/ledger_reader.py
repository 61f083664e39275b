"""LedgerReader: reads the peers' ledgers, one after the other."""

from collections.abc import Collection

from swarm.core.ids import PeerId, SessionId
from swarm.federation.ledger_entries import LedgerPage, LedgerRequest

ASKED_AT_ONCE_MAX = 4
READ_AGAIN_AFTER_S = 20.0
"""New entries are sent in the clusters; a ledger is read again after this time, in case some
were missed."""


class LedgerReader:
    """Reads each peer's ledger on from the place that it reached.

    Invariant: asks at most `ASKED_AT_ONCE_MAX` peers at a time.
    """

    def __init__(self, session: SessionId, me: PeerId) -> None:
        self._session = session
        self._me = me
        self._next: dict[PeerId, int] = {}
        self._read_s: dict[PeerId, float] = {}

    def requests(
        self, present: Collection[PeerId], now_s: float
    ) -> list[tuple[PeerId, LedgerRequest]]:
        """Requests to send now, to the peers whose ledgers were not read for the longest time."""
        self._next = {p: place for p, place in self._next.items() if p in present}
        self._read_s = {p: s for p, s in self._read_s.items() if p in present}
        never = float("-inf")
        due = [p for p in present if now_s - self._read_s.get(p, never) >= READ_AGAIN_AFTER_S]
        due.sort(key=lambda p: self._read_s.get(p, never))
        return [(peer, self._ask(peer, now_s)) for peer in due[:ASKED_AT_ONCE_MAX]]

    def take_page(self, page: LedgerPage, now_s: float) -> LedgerRequest | None:
        """Take an answer; return the next request to its sender, if there is more."""
        if page.next is None or page.sender not in self._read_s:
            return None
        self._next[page.sender] = page.next
        return self._ask(page.sender, now_s) if page.more else None

    def forget(self, peer: PeerId) -> None:
        """Read this peer's ledger from the beginning: the peer may have restarted."""
        self._next.pop(peer, None)
        self._read_s.pop(peer, None)

    def _ask(self, peer: PeerId, now_s: float) -> LedgerRequest:
        self._read_s[peer] = now_s
        return LedgerRequest(self._session, self._me, self._next.get(peer, 0))
