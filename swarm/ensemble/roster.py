"""Roster: the members of an ensemble as one peer knows them: their cards, and who is present."""

from swarm.core.ids import PeerId
from swarm.ensemble.messages import MemberCard, MemberHeartbeat
from swarm.ensemble.records import MEMBERS_MAX

HEARTBEAT_EVERY_S = 2.0
LOST_AFTER_S = 4 * HEARTBEAT_EVERY_S
"""A member that was silent for this long counts as lost."""


class Roster:
    """Keeps the newest card of each member, and when the member was heard.

    Invariants:
        A card is replaced only by one of a greater number.
        There are at most `MEMBERS_MAX` members; a new one replaces the lost one silent longest.
    """

    def __init__(self, without: PeerId | None = None) -> None:
        """Make a roster.

        Args:
            without: A peer that is left out: a member's roster has only the others. An asker's
                roster has also the member on its own host.
        """
        self._without = without
        self._cards: dict[PeerId, MemberCard] = {}
        self._heard_s: dict[PeerId, float] = {}
        self._lost: set[PeerId] = set()
        """Members whose connection broke, until they are heard again."""

    @property
    def cards(self) -> dict[PeerId, MemberCard]:
        """The newest card of each member, present or lost, in the order of their ids."""
        return {peer: self._cards[peer] for peer in sorted(self._cards)}

    def card(self, peer: PeerId) -> MemberCard | None:
        """The newest card of a member; None if it has sent none."""
        return self._cards.get(peer)

    def present(self, now_s: float) -> tuple[PeerId, ...]:
        """Members that were heard lately and have sent a card, in the order of their ids."""
        return tuple(peer for peer in sorted(self._cards) if not self.is_lost(peer, now_s))

    def is_lost(self, peer: PeerId, now_s: float) -> bool:
        """Whether a member is silent, cut off or unknown."""
        heard_s = self._heard_s.get(peer)
        return heard_s is None or peer in self._lost or now_s - heard_s >= LOST_AFTER_S

    def silent_s(self, peer: PeerId, now_s: float) -> float:
        """Seconds since a member was heard; infinity for an unknown one."""
        return now_s - self._heard_s.get(peer, float("-inf"))

    def take_heartbeat(self, heartbeat: MemberHeartbeat, now_s: float) -> bool:
        """Note that a member is alive; return whether its newest card is to be requested."""
        if not self._note_heard(heartbeat.sender, now_s):
            return False
        known = self._cards.get(heartbeat.sender)
        return known is None or known.number < heartbeat.card

    def take_card(self, card: MemberCard, now_s: float) -> bool:
        """Keep a card; return whether it is newer than the one that was known."""
        if not self._note_heard(card.sender, now_s):
            return False
        known = self._cards.get(card.sender)
        if known is not None and known.number >= card.number:
            return False
        self._cards[card.sender] = card
        return True

    def note_lost(self, peer: PeerId) -> None:
        """Note that the connection to a peer broke; it counts as lost until it is heard."""
        if peer in self._heard_s:
            self._lost.add(peer)

    def forget(self, peer: PeerId) -> None:
        """Forget a member that left."""
        self._cards.pop(peer, None)
        self._heard_s.pop(peer, None)
        self._lost.discard(peer)

    def _note_heard(self, peer: PeerId, now_s: float) -> bool:
        """Note that a member was heard; return False if there is no room for it."""
        if peer == self._without or not (peer in self._heard_s or self._make_room(now_s)):
            return False
        self._heard_s[peer] = now_s
        self._lost.discard(peer)
        return True

    def _make_room(self, now_s: float) -> bool:
        if len(self._heard_s) < MEMBERS_MAX:
            return True
        silent = min(self._heard_s, key=lambda peer: (self._heard_s[peer], peer))
        if not self.is_lost(silent, now_s):
            return False
        self.forget(silent)
        return True
