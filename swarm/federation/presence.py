"""Presence: which peers are alive, as this peer sees it. No peer needs another's view to agree.

A peer is lost after a silence, whose length depends on the last minute. A peer on a busy machine
is late with its heartbeats, and gets three times its longest gap (an adaptive detector as of
Chandra and Toueg 1996, with bounds). Time in which this peer itself stood still does not count.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from swarm.core.ids import PeerId

LOST_AFTER_S = 5.0
"""A peer is lost after this silence, if nothing was late."""
LOST_AFTER_S_MAX = 15.0
"""It is lost after this silence in any case."""
GAP_FACTOR = 3.0
"""A peer is not lost within this multiple of a gap that it survived lately."""
GAPS_REMEMBERED_S = 60.0
RESTART_GRACE_S = 10.0
"""After a restart, other peers may be restarting as well: this many seconds before silent ones
count as lost."""


class Presence:
    """Remembers when each watched peer was last heard.

    Invariant: a peer that was never watched is never lost.
    """

    def __init__(self) -> None:
        self._heard_s: dict[PeerId, float] = {}
        self._unreachable: set[PeerId] = set()
        self._unheard: set[PeerId] = set()
        """Watched since a restart, and not heard since."""
        self._grace_until_s = float("-inf")
        self._gaps: dict[PeerId, _Gap] = {}
        """The longest gap of each watched peer lately."""
        self._stalled = _Gap(0.0, float("-inf"))
        """The longest time in which this peer stood still lately."""
        self._look_again_s = float("-inf")
        """Before this time no other peer can have become lost."""

    def restart(self, now_s: float) -> None:
        """Begin after a restart: give peers that were not heard yet more time."""
        self._grace_until_s = now_s + RESTART_GRACE_S

    def watch(self, peers: Iterable[PeerId], now_s: float) -> None:
        """Watch exactly these peers; the clock of a new one starts now."""
        peers = list(peers)
        start_s = max(now_s, self._grace_until_s - LOST_AFTER_S)
        if now_s < self._grace_until_s:
            self._unheard |= set(peers) - self._heard_s.keys()
        self._heard_s = {peer: self._heard_s.get(peer, start_s) for peer in peers}
        self._unreachable &= self._heard_s.keys()
        self._unheard &= self._heard_s.keys()
        self._gaps = {peer: gap for peer, gap in self._gaps.items() if peer in self._heard_s}
        self._look_again_s = float("-inf")

    def heard(self, peer: PeerId, now_s: float) -> None:
        """Note that an authentic message came from `peer`."""
        if peer in self._heard_s:
            if self._heard_s[peer] > now_s:  # its grace period ends: it can be lost sooner
                self._look_again_s = float("-inf")
            elif peer not in self._unreachable:
                gap_s = now_s - self._heard_s[peer]
                self._gaps[peer] = self._gaps.get(peer, _NONE).or_longer(gap_s, now_s)
            self._heard_s[peer] = now_s
            self._unreachable.discard(peer)
            self._unheard.discard(peer)

    def stood_still(self, length_s: float, now_s: float) -> None:
        """Note that this peer did nothing for a while: that is no silence of the others."""
        self._stalled = self._stalled.or_longer(length_s, now_s)
        self._heard_s = {
            peer: max(heard_s, min(now_s, heard_s + length_s))
            for peer, heard_s in self._heard_s.items()
        }

    def unreachable(self, peer: PeerId, now_s: float) -> None:
        """Note that the connection to `peer` closed and a redial was refused."""
        if peer not in self._unheard or now_s >= self._grace_until_s:
            self.left(peer)

    def left(self, peer: PeerId) -> None:
        """Note that `peer` said goodbye."""
        if peer in self._heard_s:
            self._unreachable.add(peer)
            self._look_again_s = float("-inf")

    def losses(self, now_s: float) -> list[PeerId]:
        """Peers lost by now; empty if none can have become lost since the last call."""
        if now_s < self._look_again_s:
            return []
        lost = [peer for peer in self._heard_s if self.lost(peer, now_s)]
        heard_s = (s for peer, s in self._heard_s.items() if peer not in lost)
        # A peer with more patience than this is looked at again and again, until it is lost.
        self._look_again_s = min(heard_s, default=now_s) + LOST_AFTER_S
        return lost

    def lost(self, peer: PeerId, now_s: float) -> bool:
        """Whether `peer` is lost, so that no peer should wait for it."""
        if peer in self._unreachable:
            return True
        silent_s = now_s - self._heard_s.get(peer, now_s)
        return silent_s >= LOST_AFTER_S and silent_s >= self._patience_s(peer, now_s)

    def explain(self, peer: PeerId) -> str:
        """Say why a lost peer is lost."""
        if peer in self._unreachable:
            return f"{peer} is gone: its connections ended"
        return f"{peer} stopped answering"

    @property
    def watched(self) -> tuple[PeerId, ...]:
        """Peers being watched."""
        return tuple(self._heard_s)

    def _patience_s(self, peer: PeerId, now_s: float) -> float:
        """Seconds of silence after which a peer is lost."""
        gaps_s = (gap.length_s_at(now_s) for gap in (self._stalled, self._gaps.get(peer, _NONE)))
        return min(LOST_AFTER_S_MAX, max(LOST_AFTER_S, GAP_FACTOR * max(gaps_s)))


@dataclass(frozen=True, slots=True)
class _Gap:
    """The longest gap of the last minute, about: it is forgotten a minute after it ended."""

    length_s: float
    ended_s: float

    def or_longer(self, length_s: float, now_s: float) -> "_Gap":
        """This gap, or a new one if that is longer."""
        return self if self.length_s_at(now_s) > length_s else _Gap(length_s, now_s)

    def length_s_at(self, now_s: float) -> float:
        """How long it was; 0 if it is forgotten."""
        return self.length_s if now_s - self.ended_s < GAPS_REMEMBERED_S else 0.0


_NONE = _Gap(0.0, float("-inf"))
