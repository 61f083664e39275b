"""JoinRequests: how a peer outside the cohort asks to join it."""

import hashlib
import itertools

from swarm.core.effects import Send
from swarm.core.ids import PeerId
from swarm.core.machine import Effect
from swarm.core.session import SessionSpec
from swarm.federation.messages import JoinRequest
from swarm.federation.records import Branch, GlobalModel
from swarm.federation.tree import duty_peers
from swarm.federation.validity import tree_of

FULL_COHORT_EVERY = 4
"""Where the cohort is full, only one turn in this many sends a request."""


class JoinRequests:
    """Sends requests directly: to the composer of the next head, and to one other peer in turn.

    Invariant: sends at most two messages at a time, whatever the size of the swarm.
    """

    def __init__(self, me: PeerId, spec: SessionSpec) -> None:
        self._me = me
        self._spec = spec
        self._turn = itertools.count()

    def ask(
        self,
        held: GlobalModel | None,
        trusted: tuple[PeerId, ...],
        branches: tuple[Branch, ...],
    ) -> list[Effect]:
        """Ask to join, unless the held head names this peer or did not admit it to ask."""
        turn = next(self._turn)
        request = JoinRequest(self._spec.id, self._me, held.key if held else None, branches)
        first: tuple[PeerId, ...] = (self._spec.starter,)
        others = trusted
        if held is not None:
            is_full = len(held.cohort) >= self._spec.cohort_max
            if self._me in held.members or not self._is_admitted(held):
                return []
            if is_full and turn % FULL_COHORT_EVERY:
                return []
            root = tree_of(held, self._spec).root
            first = duty_peers(held.digest, root, frozenset(held.slow))[:1]
            others = held.cohort
        # The composer may be gone, or a message may get lost: ask another peer each time.
        rotating = tuple(p for p in others if p not in (*first, self._me))
        second = rotating[turn % len(rotating) :][:1] if rotating else ()
        return [Send(peer, request) for peer in (*first, *second) if peer != self._me]

    def _is_admitted(self, held: GlobalModel) -> bool:
        rank = hashlib.sha256(f"{held.digest}\0admission\0{self._me}".encode()).digest()
        return int.from_bytes(rank[:8], "big") < held.admission * 2**64
