"""Coordinators: the study's coordinator as this peer knows it, its members, when to take over."""

import math
from collections.abc import Iterable

from swarm.core.ids import PeerId
from swarm.search.study import NOBODY, StudySpec
from swarm.search.succession import stagger, succession

TERM_LEAP_MAX = 10_000
"""A term that exceeds ours by more than this is not believed."""


class Coordinators:
    """One peer's view of its study's coordinator and members.

    Invariant: (term, coordinator) only goes up.
    """

    def __init__(self, me: PeerId, spec: StudySpec) -> None:
        self.term = 0
        self.coordinator = NOBODY
        self.members: tuple[PeerId, ...] = ()
        """Peers that may succeed the coordinator, as its last heartbeat said."""
        self.is_new_here = True
        """Whether this peer has followed no coordinator since it started."""
        self._me = me
        self._spec = spec
        self._gone: set[PeerId] = set()
        self._heard_s = -math.inf
        self._lost_s = math.inf

    def begin(self, term: int, now_s: float) -> None:
        """Start with the newest term this peer stored."""
        self.term, self._heard_s = term, now_s

    def believes(self, term: int, coordinator: PeerId) -> bool:
        """Whether to follow a peer that says that it coordinates in this term."""
        if coordinator == self._me or term > self.term + TERM_LEAP_MAX:
            return False
        return (term, coordinator) >= (self.term, self.coordinator)

    def is_coordinator(self, peer: PeerId, term: int) -> bool:
        """Whether this peer coordinates in this term."""
        return (peer, term) == (self.coordinator, self.term)

    def follow(self, term: int, coordinator: PeerId, now_s: float) -> None:
        """Follow this coordinator, which may be this peer, from now on."""
        self.term, self.coordinator = term, coordinator
        self.is_new_here = False
        self._heard_s, self._lost_s = now_s, math.inf

    def note_members(self, members: tuple[PeerId, ...]) -> None:
        """Remember the members that the coordinator names."""
        self.members = members

    def note_heard(self, peer: PeerId, now_s: float) -> None:
        """An authentic message came from a peer, or a connection with it opened."""
        self._gone.discard(peer)
        if peer == self.coordinator:
            self._heard_s, self._lost_s = now_s, math.inf

    def note_lost(self, peer: PeerId, now_s: float) -> None:
        """A peer cannot be reached, or left."""
        self._gone.add(peer)
        if peer == self.coordinator:
            self._lost_s = min(now_s, self._lost_s)

    def silent_s(self, now_s: float) -> float:
        """How long the coordinator has been silent."""
        return max(0.0, now_s - self._heard_s)

    def others(self) -> set[PeerId]:
        """Members that are not known to be gone, without the coordinator and this peer."""
        return set(self.members) - self._gone - {self.coordinator, self._me}

    def standbys(self, number: int) -> list[PeerId]:
        """The first members in the order of succession."""
        return self._order(set(self.members) - {self.coordinator})[:number]

    def due_s(self) -> float:
        """When this peer takes over, if no coordinator is heard until then.

        A coordinator is lost at `lost`: when its connection closed or it left, and no later than
        three heartbeats after it was heard. The member at place k of the succession, counted from
        0 and without members that are gone, takes over at lost + k * heartbeat_s.
        """
        heartbeat_s, lease_s = self._spec.heartbeat_s, self._spec.lease_s
        if self.is_new_here:  # after a restart of all peers, none knows which others are back
            return self._heard_s + lease_s * (1 + stagger(self._spec.id, self.term, self._me))
        lost_s = min(self._lost_s, self._heard_s + lease_s)
        if self._me not in self.members:  # the members, which expect each other, go first
            late = len(self.others()) + stagger(self._spec.id, self.term, self._me)
            return lost_s + late * heartbeat_s
        return lost_s + self._order({*self.others(), self._me}).index(self._me) * heartbeat_s

    def _order(self, members: Iterable[PeerId]) -> list[PeerId]:
        return succession(self._spec.id, self.term, members)
