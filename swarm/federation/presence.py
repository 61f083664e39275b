"""Presence: which peers are alive, as this peer sees it. No peer needs another's view to agree."""

from collections.abc import Iterable

from swarm.core.ids import PeerId

LOST_AFTER_S = 5.0
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
        self._look_again_s = float("-inf")

    def heard(self, peer: PeerId, now_s: float) -> None:
        """Note that an authentic message came from `peer`."""
        if peer in self._heard_s:
            if self._heard_s[peer] > now_s:  # its grace period ends: it can be lost sooner
                self._look_again_s = float("-inf")
            self._heard_s[peer] = now_s
            self._unreachable.discard(peer)
            self._unheard.discard(peer)

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
        self._look_again_s = min(heard_s, default=now_s) + LOST_AFTER_S
        return lost

    def lost(self, peer: PeerId, now_s: float) -> bool:
        """Whether `peer` is lost, so that no peer should wait for it."""
        return peer in self._unreachable or self._silent_s(peer, now_s) >= LOST_AFTER_S

    def explain(self, peer: PeerId) -> str:
        """Say why a lost peer is lost."""
        if peer in self._unreachable:
            return f"{peer} is gone: its connections ended"
        return f"{peer} stopped answering"

    @property
    def watched(self) -> tuple[PeerId, ...]:
        """Peers being watched."""
        return tuple(self._heard_s)

    def _silent_s(self, peer: PeerId, now_s: float) -> float:
        return now_s - self._heard_s.get(peer, now_s)
