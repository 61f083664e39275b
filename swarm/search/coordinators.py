"""Coordinators: the study's coordinator as this peer knows it, the members, when to take over."""

import math
from collections.abc import Iterable

from swarm.core.ids import PeerId
from swarm.search.study import NOBODY, StudySpec
from swarm.search.succession import stagger, succession

TERM_LEAP_MAX = 10_000
"""A term so far beyond ours is a lie."""


class Coordinators:
    """One peer's view of its study's coordinator and members.

    Invariant: (term, coordinator) only goes up.
    """

    def __init__(self, me: PeerId, spec: StudySpec) -> None:
        self.term = 0
        self.coordinator = NOBODY
        self.members: tuple[PeerId, ...] = ()
        """Peers that may succeed the coordinator, by its last word."""
        self.is_new_here = True
        """Whether no coordinator was heard in this life."""
        self._me = me
        self._spec = spec
        self._gone: set[PeerId] = set()
        self._heard_s = -math.inf
        self._lost_s = math.inf

    def begin(self, term: int, now_s: float) -> None:
        """A life begins."""
        self.term, self._heard_s = term, now_s

    def believes(self, term: int, coordinator: PeerId) -> bool:
        """Whether who says that it coordinates in this term is to be followed."""
        if coordinator == self._me or term > self.term + TERM_LEAP_MAX:
            return False
        return (term, coordinator) >= (self.term, self.coordinator)

    def is_coordinator(self, peer: PeerId, term: int) -> bool:
        """Whether this is who coordinates, and the term it coordinates in."""
        return (peer, term) == (self.coordinator, self.term)

    def follow(self, term: int, coordinator: PeerId, now_s: float) -> None:
        """Follow this coordinator, perhaps ourselves, from now on."""
        self.term, self.coordinator = term, coordinator
        self.is_new_here = False
        self._heard_s, self._lost_s = now_s, math.inf

    def hear(self, peer: PeerId, now_s: float) -> None:
        """Something authentic came from a peer."""
        self._gone.discard(peer)
        if peer == self.coordinator:
            self._heard_s, self._lost_s = now_s, math.inf

    def lose(self, peer: PeerId, now_s: float) -> None:
        """A peer cannot be reached, or said goodbye."""
        self._gone.add(peer)
        if peer == self.coordinator:
            self._lost_s = min(now_s, self._lost_s)

    def silent_s(self, now_s: float) -> float:
        """How long the coordinator has been silent."""
        return max(0.0, now_s - self._heard_s)

    def others(self) -> set[PeerId]:
        """Members that are there, without the coordinator and ourselves."""
        return set(self.members) - self._gone - {self.coordinator, self._me}

    def standbys(self, number: int) -> list[PeerId]:
        """Who is first to succeed the coordinator."""
        return self._order(set(self.members) - {self.coordinator})[:number]

    def due_s(self) -> float:
        """When we take over, if nothing is heard until then."""
        heartbeat_s, lease_s = self._spec.heartbeat_s, self._spec.lease_s
        if self.is_new_here:  # who else is back after a restart of all, and when, nobody knows
            return self._heard_s + lease_s * (1 + stagger(self._spec.id, self.term, self._me))
        lost_s = min(self._lost_s, self._heard_s + lease_s)
        if self._me not in self.members:  # nobody counts on us yet: let those go first
            late = len(self.others()) + stagger(self._spec.id, self.term, self._me)
            return lost_s + late * heartbeat_s
        return lost_s + self._order({*self.others(), self._me}).index(self._me) * heartbeat_s

    def _order(self, members: Iterable[PeerId]) -> list[PeerId]:
        return succession(self._spec.id, self.term, members)
