"""Delivery: how messages get from peer to peer: late, twice, again much later, or not at all."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping

from swarm.core.blobs import BlobRef
from swarm.core.effects import BlobArrived, Publish, Send, Subscribe, Unsubscribe
from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Event
from swarm.federation.messages import Contribution
from swarm.simulation.clock import Clock
from swarm.simulation.faults import FaultPlan
from swarm.simulation.federation.peers import SimulatedPeer
from swarm.simulation.links import Links

REPLAYED_AFTER_S = (1.0, 180.0)


class Delivery:
    """Carries out `Publish` and `Send`, and knows who listens to which topic.

    Invariant: what is on its way to a peer that dies does not reach its next life.
    """

    def __init__(
        self,
        plan: FaultPlan,
        clock: Clock,
        chance: random.Random,
        links: Links,
        peers: Mapping[PeerId, SimulatedPeer],
        handle: Callable[[SimulatedPeer, Event], None],
    ) -> None:
        self.announced: defaultdict[tuple[PeerId, Digest], set[Digest]] = defaultdict(set)
        """Blobs of the contributions announced per (peer, base)."""
        self._plan = plan
        self._clock = clock
        self._random = chance
        self._links = links
        self._peers = peers
        self._handle = handle
        self._topics: defaultdict[str, dict[SimulatedPeer, None]] = defaultdict(dict)

    def subscribe(self, peer: SimulatedPeer, effect: Subscribe) -> None:
        """Let a peer listen to a topic."""
        peer.topics[effect.topic] = None
        self._topics[effect.topic][peer] = None

    def unsubscribe(self, peer: SimulatedPeer, effect: Unsubscribe) -> None:
        """Let a peer listen no longer."""
        peer.topics.pop(effect.topic, None)
        self._topics[effect.topic].pop(peer, None)
        if not self._topics[effect.topic]:
            del self._topics[effect.topic]

    def forget(self, peer: SimulatedPeer) -> None:
        """Let a peer that died listen to nothing."""
        for topic in peer.topics:
            del self._topics[topic][peer]
        peer.topics.clear()

    def publish(self, peer: SimulatedPeer, effect: Publish) -> None:
        """Carry a message to all who listen."""
        message, attach = effect.message, effect.attach
        peer.num_sent += 1
        if isinstance(message, Contribution):
            self.announced[peer.name, message.base].add(message.blob.digest)
        links = self._links
        for other in self._topics.get(effect.topic, ()):
            if other is not peer and (links.quiet or links.publishes(peer.name, other.name)):
                self.transmit(other, message, attach)
        if self._plan.replay_rate and self._random.random() < self._plan.replay_rate:
            low_s, high_s = REPLAYED_AFTER_S
            delay_s = low_s * (high_s / low_s) ** self._random.random()
            self._clock.after(delay_s, self._replay, peer.name, message)

    def send(self, peer: SimulatedPeer, effect: Send) -> None:
        """Carry a message to one peer."""
        peer.num_sent += 1
        peer.contacts.add(effect.peer)
        other = self._peers.get(effect.peer)
        if other is None or not other.alive:
            return
        if self._links.quiet or self._links.sends(peer.name, other.name):
            self.transmit(other, effect.message, None)

    def transmit(self, target: SimulatedPeer, message: Event, attach: BlobRef | None) -> None:
        """Bring a message to a peer after some time, or lose it."""
        plan, chance = self._plan, self._random.random
        copies = 2 if plan.duplicate_rate and chance() < plan.duplicate_rate else 1
        for _ in range(copies):
            if plan.loss_rate and chance() < plan.loss_rate:
                continue
            delay_s = plan.delay_s_min + (plan.delay_s_max - plan.delay_s_min) * chance()
            due_s = self._clock.now_s + delay_s
            self._clock.at(due_s, self._receive, target, target.life, message, attach)

    def _replay(self, author: PeerId, message: Event) -> None:
        listening = [p for p in self._peers.values() if p.alive and p.name != author]
        if listening:
            target = self._random.choice(listening)
            self._receive(target, target.life, message, None)

    def _receive(
        self, peer: SimulatedPeer, life: int, message: Event, attach: BlobRef | None
    ) -> None:
        if not peer.alive or peer.life != life:
            return
        peer.num_received += 1
        if attach is not None:
            peer.store.add(attach.digest)
            self._handle(peer, BlobArrived(attach))
        self._handle(peer, message)
