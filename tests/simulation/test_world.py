"""The simulated world carries out core effects for a workload of a few lines."""

from dataclasses import dataclass, field

import pytest

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.effects import (
    BlobArrived,
    BlobMissing,
    FetchBlob,
    KeepBlobs,
    PeerUnreachable,
    Publish,
    Send,
    Subscribe,
)
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event, SetTimer, TimerFired
from swarm.simulation.faults import Crash, FaultPlan, Freeze, Partition
from swarm.simulation.peers import SimulatedPeer
from swarm.simulation.world import SimulatedWorld
from tests.harness.history_digest import HistoryDigest

TOPIC = "clocks"
EVERY_S = 1.0
BLOB = BlobRef(sha256_hex(b"blob"), 1000)
FIRST, SECOND, THIRD = PeerId("peer-00"), PeerId("peer-01"), PeerId("peer-02")


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The process runs."""


@dataclass(frozen=True, slots=True)
class Tick(Event):
    """What each peer publishes every second."""

    sender: PeerId
    number: int


@dataclass(frozen=True, slots=True)
class Thanks(Event):
    """The answer to a tick."""

    sender: PeerId


@dataclass
class Ticking:
    """Publishes ticks, thanks for those of others, and fetches a blob from the first peer."""

    me: PeerId
    heard: list[tuple[float, Event]] = field(default_factory=list)
    number: int = 0

    def handle(self, event: Event, now_s: float) -> list[Effect]:
        self.heard.append((now_s, event))
        match event:
            case Started():
                fetch = FetchBlob(BLOB, (FIRST,), wait_s=1.0)
                asks = [fetch] if self.me != FIRST else []
                return [Subscribe(TOPIC), SetTimer("tick", now_s + EVERY_S), *asks]
            case TimerFired():
                self.number += 1
                tick = Publish(TOPIC, Tick(self.me, self.number))
                return [SetTimer("tick", now_s + EVERY_S), tick]
            case Tick():
                return [Send(event.sender, Thanks(self.me))]
        return []

    def times_s(self, kind: type[Event]) -> list[float]:
        return [now_s for now_s, event in self.heard if isinstance(event, kind)]


@dataclass(slots=True, eq=False)
class TickingPeer(SimulatedPeer):
    machine: Ticking


class TickingWorld(SimulatedWorld[TickingPeer]):
    """Three peers; the progress is the greatest number of a tick."""

    def __init__(self, plan: FaultPlan, seed: int = 1) -> None:
        super().__init__(plan, 3, seed)
        for name in self.names:
            self.peers[name] = TickingPeer(name, self._machine(name))
        self.peers[FIRST].store.add(BLOB.digest)
        self._begin([0.0, 0.1, 0.2])

    def _machine(self, name: PeerId) -> Ticking:
        return Ticking(name)

    def _start(self, peer: TickingPeer) -> None:
        self._revive(peer)
        self.links.start(peer.name)
        self._handle(peer, Started())

    def _handled(self, peer: TickingPeer, effects: list[Effect]) -> None:
        self.progress = max(self.progress, peer.machine.number)
        self._schedule_due_faults()

    def _find_role(self, role: str) -> TickingPeer | None:
        return self.peers.get(PeerId(role))


def after(plan: FaultPlan, until_s: float = 10.5) -> TickingWorld:
    world = TickingWorld(plan)
    world.run(until_s)
    return world


def test_each_peer_gets_the_messages_of_the_others_and_their_answers() -> None:
    world = after(FaultPlan())

    for peer in world.peers.values():
        assert len(peer.machine.times_s(Tick)) == 20
        assert len(peer.machine.times_s(Thanks)) == 20


def test_blobs_are_fetched_from_their_holder() -> None:
    world = after(FaultPlan())

    assert world.transfers.carried == {(FIRST, SECOND): 1, (FIRST, THIRD): 1}
    assert all(BLOB.digest in peer.store for peer in world.peers.values())


def test_a_blob_that_its_holder_withholds_is_missing() -> None:
    world = after(FaultPlan(withholding=FIRST))

    assert world.peers[SECOND].machine.times_s(BlobMissing)
    assert not world.peers[SECOND].machine.times_s(BlobArrived)


def test_blobs_that_are_not_kept_are_deleted() -> None:
    world = after(FaultPlan())

    world._keep_blobs(world.peers[SECOND], KeepBlobs(frozenset()))

    assert not world.peers[SECOND].store


def test_a_frozen_peer_handles_its_messages_when_it_goes_on() -> None:
    plan = FaultPlan(freezes=(Freeze(SECOND, progress=3, delay_s=0.0, length_s=2.5),))
    world = after(plan)

    frozen = [s for s in world.peers[SECOND].machine.times_s(Tick) if 3.1 < s < 5.4]
    assert not frozen
    assert len(world.peers[SECOND].machine.times_s(Tick)) == 20
    assert world.faults_over_s == pytest.approx(5.5)


def test_a_peer_that_dies_is_unreachable_and_restarts_with_its_store() -> None:
    plan = FaultPlan(crashes=(Crash(SECOND, progress=3, delay_s=0.0, restart_after_s=2.0),))
    world = after(plan)

    second = world.peers[SECOND]
    assert second.life == 2
    assert second.machine.times_s(Started) == [pytest.approx(5.0)]
    assert world.peers[FIRST].machine.times_s(PeerUnreachable) == [pytest.approx(3.2)]
    assert BLOB.digest in second.store


def test_no_message_passes_between_islands() -> None:
    island = frozenset([THIRD])
    world = after(FaultPlan(partitions=(Partition(0.0, 20.0, (island,)),)))

    assert not world.peers[THIRD].machine.times_s(Tick)
    assert len(world.peers[FIRST].machine.times_s(Tick)) == 10


def test_a_peers_own_clock_decides_when_its_timers_fire() -> None:
    world = TickingWorld(FaultPlan())
    world.peers[SECOND].clock_rate = 2.0
    world.run(10.5)

    assert world.peers[SECOND].machine.number == 2 * world.peers[FIRST].machine.number


def test_the_same_seed_gives_the_same_history() -> None:
    digests = []
    for seed in (7, 7, 8):
        world = TickingWorld(FaultPlan(loss_rate=0.2, duplicate_rate=0.2), seed)
        world.record = digest = HistoryDigest()
        world.run(10.5)
        digests.append(digest.word)

    assert digests[0] == digests[1] != digests[2]
