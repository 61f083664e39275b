"""Delivery: how messages get from peer to peer: late, twice, again much later, or not at all."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobArrived, Publish, Send, Subscribe, Unsubscribe
from swarm.core.ids import PeerId
from swarm.core.machine import Event
from swarm.simulation.clock import Clock
from swarm.simulation.faults import FaultPlan
from swarm.simulation.links import Links
from swarm.simulation.peers import SimulatedPeer

REPLAYED_AFTER_S = (1.0, 180.0)

P = TypeVar("P", bound=SimulatedPeer)


class Delivery(Generic[P]):
    """Carries out `Publish`, `Send`, `Subscribe` and `Unsubscribe`.

    Invariant: what is on its way to a peer that dies does not reach its next life.
    """

    def __init__(
        self,
        plan: FaultPlan,
        clock: Clock,
        chance: random.Random,
        links: Links,
        peers: Mapping[PeerId, P],
        handle: Callable[[P, Event], None],
    ) -> None:
        self.by_name = False
        """Whether subscribers get a message in order of their names, not of subscription.

        The order decides which of them takes which random number.
        """
        self._plan = plan
        self._clock = clock
        self._random = chance
        self._links = links
        self._peers = peers
        self._handle = handle
        self._topics: defaultdict[str, dict[P, None]] = defaultdict(dict)

    def subscribe(self, peer: P, effect: Subscribe) -> None:
        """Let a peer listen to a topic."""
        peer.topics[effect.topic] = None
        self._topics[effect.topic][peer] = None
        if self.by_name:
            listening = sorted(self._topics[effect.topic], key=lambda other: other.name)
            self._topics[effect.topic] = dict.fromkeys(listening)

    def unsubscribe(self, peer: P, effect: Unsubscribe) -> None:
        """Stop a peer from listening to a topic."""
        peer.topics.pop(effect.topic, None)
        self._topics[effect.topic].pop(peer, None)
        if not self._topics[effect.topic]:
            del self._topics[effect.topic]

    def forget(self, peer: P) -> None:
        """End all subscriptions of a peer that died."""
        for topic in peer.topics:
            del self._topics[topic][peer]
        peer.topics.clear()

    def publish(self, peer: P, effect: Publish) -> None:
        """Carry a message to all subscribers."""
        message, attach = effect.message, effect.attach
        peer.num_sent += 1
        links = self._links
        for other in self._topics.get(effect.topic, ()):
            if other is not peer and (links.quiet or links.publishes(peer.name, other.name)):
                self.transmit(other, message, attach)
        if self._plan.replay_rate and self._random.random() < self._plan.replay_rate:
            low_s, high_s = REPLAYED_AFTER_S
            delay_s = low_s * (high_s / low_s) ** self._random.random()
            self._clock.after(delay_s, self._replay, peer.name, message)

    def send(self, peer: P, effect: Send) -> None:
        """Carry a message to one peer."""
        peer.num_sent += 1
        peer.contacts.add(effect.peer)
        other = self._peers.get(effect.peer)
        if other is None or not other.alive:
            return
        if self._links.quiet or self._links.sends(peer.name, other.name):
            self.transmit(other, effect.message)

    def transmit(self, target: P, message: Event, attach: BlobRef | None = None) -> None:
        """Bring a message to a peer after some time, or lose it."""
        plan, chance = self._plan, self._random.random
        copies = 2 if plan.duplicate_rate and chance() < plan.duplicate_rate else 1
        for _ in range(copies):
            if plan.loss_rate and chance() < plan.loss_rate:
                continue
            delay_s = plan.delay_s_min + (plan.delay_s_max - plan.delay_s_min) * chance()
            self._clock.after(delay_s, self._receive, target, target.life, message, attach)

    def _replay(self, author: PeerId, message: Event) -> None:
        listening = [p for p in self._peers.values() if p.alive and p.name != author]
        if listening:
            target = self._random.choice(listening)
            self._receive(target, target.life, message, None)

    def _receive(self, peer: P, life: int, message: Event, attach: BlobRef | None) -> None:
        if not peer.alive or peer.life != life:
            return
        peer.num_received += 1
        if attach is not None:
            peer.store.add(attach.digest)
            self._handle(peer, BlobArrived(attach))
        self._handle(peer, message)
