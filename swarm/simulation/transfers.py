"""Transfers: how blobs get from a holder's store to another peer's."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobArrived, BlobMissing, FetchBlob
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.simulation.clock import Clock
from swarm.simulation.faults import FaultPlan
from swarm.simulation.links import Links
from swarm.simulation.peers import SimulatedPeer

POLL_S = 0.1
DEAD_HOLDER_COSTS_S = 0.2
SILENT_HOLDER_COSTS_S = (2.0, 4.0)
"""A dial that is neither refused nor answered: the holder is frozen, or the network is cut."""

P = TypeVar("P", bound=SimulatedPeer)


@dataclass(slots=True)
class _Pull(Generic[P]):
    """One `FetchBlob` that is under way."""

    peer: P
    life: int
    """The life of the peer that asked."""
    blob: BlobRef
    holders: tuple[PeerId, ...]
    """Holders still to ask, the present one first."""
    wait_s: float
    until_s: float
    """When the wait for the present holder ends; it may still fetch the blob itself."""

    @property
    def wanted(self) -> bool:
        """Whether the process that asked still runs."""
        return self.peer.alive and self.peer.life == self.life


class Transfers(Generic[P]):
    """Carries out `FetchBlob`: asks one holder after the other.

    It waits for a holder that may still get the blob itself.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the world's parts, each once
        self,
        plan: FaultPlan,
        clock: Clock,
        chance: random.Random,
        links: Links,
        peers: Mapping[PeerId, P],
        answer: Callable[[P, int, Event], None],
        slowest: PeerId,
    ) -> None:
        self.carried: Counter[tuple[PeerId, PeerId]] = Counter()
        """Blobs that arrived, by holder and receiver."""
        self._plan = plan
        self._clock = clock
        self._chance = chance
        self._links = links
        self._peers = peers
        self._answer = answer
        self._slowest = slowest

    def fetch(self, peer: P, effect: FetchBlob) -> None:
        """Begin to ask."""
        until_s = self._clock.now_s + effect.wait_s
        pull = _Pull(peer, peer.life, effect.blob, effect.holders, effect.wait_s, until_s)
        self._clock.after(self._plan.blob_transfer_s, self._ask, pull)

    def _ask(self, pull: _Pull[P]) -> None:
        if not pull.wanted:
            return
        if not pull.holders:
            self._answer(pull.peer, pull.life, BlobMissing(pull.blob, "no holder gave it"))
            return
        name = pull.holders[0]
        holder = self._peers.get(name)
        if holder is None or not holder.alive:
            self._next(DEAD_HOLDER_COSTS_S, pull)
        elif self._silent(pull.peer, holder):
            self._next(self._chance.uniform(*SILENT_HOLDER_COSTS_S), pull)
        elif pull.blob.digest in holder.store and name != self._plan.withholding:
            self._clock.after(self._transfer_s(pull.peer, holder), self._arrive, pull, holder)
        elif self._clock.now_s < pull.until_s:
            self._clock.after(POLL_S, self._ask, pull)
        else:
            self._next(DEAD_HOLDER_COSTS_S, pull)

    def _transfer_s(self, peer: P, holder: P) -> float:
        plan, slowest = self._plan, self._slowest
        upwards, downwards = holder.name == slowest, peer.name == slowest
        if plan.slow_link_s is not None and (
            upwards or (downwards and not plan.slow_upwards_only)
        ):
            return plan.slow_link_s
        return plan.blob_transfer_s

    def _next(self, cost_s: float, pull: _Pull[P]) -> None:
        pull.holders = pull.holders[1:]
        pull.until_s = self._clock.now_s + pull.wait_s
        self._clock.after(cost_s, self._ask, pull)

    def _arrive(self, pull: _Pull[P], holder: P) -> None:
        peer = pull.peer
        if not pull.wanted:
            return
        if not holder.alive or self._silent(peer, holder):
            self._next(DEAD_HOLDER_COSTS_S, pull)
            return
        peer.store.add(pull.blob.digest)
        self.carried[holder.name, peer.name] += 1
        self._answer(peer, pull.life, BlobArrived(pull.blob))

    def _silent(self, peer: P, holder: P) -> bool:
        if self._links.quiet:
            return False
        there_and_back = self._links.sends(peer.name, holder.name) and self._links.sends(
            holder.name, peer.name
        )
        return holder.frozen or not there_and_back
