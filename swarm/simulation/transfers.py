"""Transfers: how blobs get from a holder's store to another peer's."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobArrived, BlobMissing, FetchBlob
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Event
from swarm.simulation.clock import Clock
from swarm.simulation.faults import FaultPlan
from swarm.simulation.links import Links

POLL_S = 0.1
DEAD_HOLDER_COSTS_S = 0.2
SILENT_HOLDER_COSTS_S = (2.0, 4.0)
"""Nobody refuses, nobody answers: the holder is frozen, or the network between is cut."""


class Holder(Protocol):
    """What blobs are transferred between."""

    name: PeerId
    life: int
    alive: bool
    frozen: bool
    store: set[Digest]


P = TypeVar("P", bound=Holder)


class Transfers(Generic[P]):
    """Carries out `FetchBlob`: holder after holder, waiting for those that will have the blob."""

    def __init__(  # noqa: PLR0913, PLR0917 - the simulator's parts, each once
        self,
        clock: Clock,
        chance: random.Random,
        links: Links,
        peers: Mapping[PeerId, P],
        answer: Callable[[P, int, Event], None],
        plan: FaultPlan,
        slowest: PeerId | None,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._links = links
        self._peers = peers
        self._answer = answer
        self._plan = plan
        self._slowest = slowest
        self.carried: Counter[tuple[PeerId, PeerId]] = Counter()
        """Blobs that arrived, by holder and receiver."""

    def fetch(self, peer: P, effect: FetchBlob) -> None:
        """Begin to ask."""
        pull = (peer, peer.life, effect.blob, list(effect.holders), effect.wait_s)
        until_s = self._clock.now_s + effect.wait_s
        self._clock.after(self._plan.blob_transfer_s, self._ask, *pull, until_s)

    def _ask(
        self,
        peer: P,
        life: int,
        blob: BlobRef,
        holders: list[PeerId],
        wait_s: float,
        until_s: float,
    ) -> None:
        if not peer.alive or peer.life != life:
            return
        if not holders:
            self._answer(peer, life, BlobMissing(blob, "no holder gave it"))
            return
        name, now_s = holders[0], self._clock.now_s
        holder = self._peers.get(name)
        if holder is None or not holder.alive:
            self._next(DEAD_HOLDER_COSTS_S, peer, life, blob, holders, wait_s)
        elif self._silent(peer, holder):
            cost_s = self._chance.uniform(*SILENT_HOLDER_COSTS_S)
            self._next(cost_s, peer, life, blob, holders, wait_s)
        elif blob.digest in holder.store and name != self._plan.withholding:
            self._clock.after(
                self._transfer_s(peer, holder),
                self._arrive,
                *(peer, life, blob, holders, wait_s, holder),
            )
        elif now_s < until_s:
            self._clock.after(POLL_S, self._ask, peer, life, blob, holders, wait_s, until_s)
        else:
            self._next(DEAD_HOLDER_COSTS_S, peer, life, blob, holders, wait_s)

    def _transfer_s(self, peer: P, holder: P) -> float:
        plan, slowest = self._plan, self._slowest
        upwards, downwards = holder.name == slowest, peer.name == slowest
        if plan.slow_link_s is not None and (
            upwards or (downwards and not plan.slow_upwards_only)
        ):
            return plan.slow_link_s
        return plan.blob_transfer_s

    def _next(
        self,
        cost_s: float,
        peer: P,
        life: int,
        blob: BlobRef,
        holders: list[PeerId],
        wait_s: float,
    ) -> None:
        until_s = self._clock.now_s + wait_s
        self._clock.after(cost_s, self._ask, peer, life, blob, holders[1:], wait_s, until_s)

    def _arrive(
        self,
        peer: P,
        life: int,
        blob: BlobRef,
        holders: list[PeerId],
        wait_s: float,
        holder: P,
    ) -> None:
        if not peer.alive or peer.life != life:
            return
        if not holder.alive or self._silent(peer, holder):
            self._next(DEAD_HOLDER_COSTS_S, peer, life, blob, holders, wait_s)
            return
        peer.store.add(blob.digest)
        self.carried[holder.name, peer.name] += 1
        self._answer(peer, life, BlobArrived(blob))

    def _silent(self, peer: P, holder: P) -> bool:
        if self._links.quiet:
            return False
        there_and_back = self._links.sends(peer.name, holder.name) and self._links.sends(
            holder.name, peer.name
        )
        return holder.frozen or not there_and_back
