"""PeerRegistry: which peers are there, as an observer sees it, and their names."""

from swarm.core.ids import PeerId, with_names
from swarm.federation.ledger_entries import LedgerEntry
from swarm.federation.lineage import Lineage
from swarm.federation.messages import Status
from swarm.watching.federation.command_tracking import CommandTracking
from swarm.watching.federation.live_state import Log, SeenPeer

SUSPECT_AFTER_S = 3.0
LOST_AFTER_S = 5.5
"""A peer of the cohort sends a heartbeat every second; its cluster gives it up after 5 s."""
LOST_OUTSIDE_AFTER_S = 9.0
"""Other peers may only be heard every 5 s, by their status."""
FORGOTTEN_AFTER_S = 120.0
QUARANTINE_SHOWN_S = 300.0
PEERS_MAX = 1024
NAMES_MAX = 4096
NAME_MAX = 64
"""Characters of a name or a site that are shown."""


class PeerRegistry:
    """Remembers when each peer was heard, and what other peers report of it.

    Invariant: remembers at most `PEERS_MAX` peers and `NAMES_MAX` names.
    """

    def __init__(
        self, me: PeerId, lineage: Lineage, command_tracking: CommandTracking, log: Log
    ) -> None:
        self.by_peer: dict[PeerId, SeenPeer] = {}
        self.unix_offset_s = 0.0
        self._me = me
        self._lineage = lineage
        self._commands = command_tracking
        self._log = log
        self._names: dict[PeerId, str] = {}
        self._facts: dict[tuple[PeerId, str], str] = {}
        """Facts from ledgers: names and sites of peers, including peers that are gone."""
        self._quarantined_s: dict[PeerId, float] = {}

    def state_of(self, peer: PeerId, now_s: float) -> str:
        """`alive`, `suspect`, `lost`, `left`, `quarantined` or `removed`."""
        if peer in self._commands.removed:
            return "removed"
        seen_peer = self.by_peer.get(peer)
        if seen_peer is None:
            return "suspect"
        if seen_peer.gone:
            return seen_peer.gone
        silent_s = now_s - seen_peer.heard_s
        asked = self._is_asked(peer)
        if silent_s >= (LOST_AFTER_S if asked else LOST_OUTSIDE_AFTER_S):
            return "lost"
        quarantined_s = self._quarantined_s.get(peer, float("-inf"))
        if self.unix_s(now_s) - quarantined_s < QUARANTINE_SHOWN_S:
            return "quarantined"
        patience_s = SUSPECT_AFTER_S if asked else LOST_OUTSIDE_AFTER_S - SUSPECT_AFTER_S
        return "suspect" if silent_s >= patience_s else "alive"

    def is_present(self, peer: PeerId, now_s: float) -> bool:
        """Whether a peer was heard lately and has not left."""
        return self.state_of(peer, now_s) in ("alive", "suspect", "quarantined")

    def is_gone(self, peer: PeerId) -> bool:
        """Whether a peer that was seen is gone."""
        return peer in self.by_peer and bool(self.by_peer[peer].gone)

    def present(self, now_s: float) -> list[PeerId]:
        """Peers that are here."""
        return [peer for peer in self.by_peer if self.is_present(peer, now_s)]

    def live(self, now_s: float) -> dict[PeerId, Status]:
        """The newest status of each peer that is here."""
        return {
            peer: seen_peer.status
            for peer, seen_peer in self.by_peer.items()
            if seen_peer.status is not None and self.is_present(peer, now_s)
        }

    def knows(self, peer: PeerId) -> bool:
        """Whether this peer was seen in the session, or is in its cohort, or was removed."""
        return self._is_asked(peer) or peer in self.by_peer or peer in self._commands.removed

    def name_of(self, peer: PeerId) -> str:
        """A peer's name: as it says itself, or else as ledgers say."""
        return self._names.get(peer) or self._facts.get((peer, "name")) or peer[-6:]

    def site_of(self, peer: PeerId) -> str:
        """A peer's site, as it says or last said; empty if it says none."""
        seen_peer = self.by_peer.get(peer)
        if seen_peer is not None and seen_peer.status is not None:
            return seen_peer.status.site
        return self._facts.get((peer, "site"), "")

    def names(self) -> dict[PeerId, str]:
        """The peers' names, including peers that are gone."""
        facts = {peer: text for (peer, kind), text in self._facts.items() if kind == "name"}
        return {**facts, **self._names}

    def unix_s(self, now_s: float) -> float:
        """Seconds since 1970."""
        return now_s + self.unix_offset_s

    def note_heard(self, peer: PeerId, now_s: float) -> SeenPeer | None:
        """Note that a peer was heard; None if it cannot be remembered."""
        if peer == self._me:
            return None
        if peer not in self.by_peer and len(self.by_peer) >= PEERS_MAX:
            return None
        seen_peer = self.by_peer.setdefault(peer, SeenPeer(now_s))
        if seen_peer.gone:
            self._log.add("joined", f"{self.name_of(peer)} is back", now_s, peer)
        seen_peer.heard_s, seen_peer.gone = now_s, ""
        return seen_peer

    def take_status(self, seen_peer: SeenPeer, status: Status, now_s: float) -> None:
        """Note the status of a peer that was just seen."""
        if seen_peer.status is None:
            self._log.add("joined", legible(status.name), now_s, status.sender)
        seen_peer.status = status
        self._names.pop(status.sender, None)
        self._names[status.sender] = legible(status.name)
        if len(self._names) > NAMES_MAX:
            del self._names[next(iter(self._names))]

    def connected(self, peer: PeerId, now_s: float) -> None:
        """Note that a peer that was seen is connected again."""
        seen_peer = self.by_peer.get(peer)
        if seen_peer is not None:
            seen_peer.gone, seen_peer.heard_s = "", now_s

    def note_gone(self, peer: PeerId, how: str, now_s: float) -> None:
        """Note that a peer is gone: `lost` or `left`."""
        seen_peer = self.by_peer.get(peer)
        if seen_peer is not None and not seen_peer.gone:
            seen_peer.gone = how
            self._log.add(how, self.name_of(peer), now_s, peer)

    def take_entry(self, entry: LedgerEntry, now_s: float) -> None:
        """Show at once what a peer just noticed of another, or says of itself."""
        if entry.is_fact:
            self._facts.pop((entry.author, entry.kind), None)
            self._facts[entry.author, entry.kind] = legible(entry.text)
            if len(self._facts) > NAMES_MAX:
                del self._facts[next(iter(self._facts))]
            return
        if entry.kind == "quarantined" and entry.subject is not None:
            self._quarantined_s[entry.subject] = entry.unix_s
            if len(self._quarantined_s) > PEERS_MAX:
                del self._quarantined_s[next(iter(self._quarantined_s))]
        fresh = self.unix_s(now_s) - entry.unix_s < LOST_AFTER_S
        if not fresh or entry.subject is None:
            return
        if entry.kind == "lost" and self._silent_s(entry.subject, now_s) > SUSPECT_AFTER_S:
            self.note_gone(entry.subject, "lost", now_s)
        elif entry.kind in ("rejected", "quarantined", "disk", "failed", "learning"):
            text = with_names(entry.text, self.name_of)
            self._log.add(entry.kind, text, now_s, entry.subject, entry.round)

    def forget_old(self, now_s: float) -> None:
        """Forget peers outside the cohort that were not heard for `FORGOTTEN_AFTER_S`."""
        old = [
            peer
            for peer, seen_peer in self.by_peer.items()
            if now_s - seen_peer.heard_s > FORGOTTEN_AFTER_S and not self._is_asked(peer)
        ]
        for peer in old:
            del self.by_peer[peer]

    def _is_asked(self, peer: PeerId) -> bool:
        head = self._lineage.held
        return head is not None and peer in head.members

    def _silent_s(self, peer: PeerId, now_s: float) -> float:
        seen_peer = self.by_peer.get(peer)
        return now_s - seen_peer.heard_s if seen_peer is not None else 0.0


def legible(text: str) -> str:
    """A text from a stranger, made safe to show: one short line, with no control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:NAME_MAX]
