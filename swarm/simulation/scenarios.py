"""Scenarios: swarms and their faults by name; the seed chooses when exactly things go wrong."""

import random
from itertools import pairwise

from swarm.core.ids import PeerId
from swarm.simulation.checkers import Limits
from swarm.simulation.faults import (
    Crash,
    FaultPlan,
    Freeze,
    OneWayLoss,
    Order,
    Partition,
)
from swarm.simulation.scenario import Peers, Plan, Scenario

_ROUND_S = 6.0
"""A round of simulated training takes about so long."""


def _calm(_chance: random.Random, _peers: Peers) -> FaultPlan:
    return FaultPlan()


def _lossy(chance: random.Random, _peers: Peers) -> FaultPlan:
    return FaultPlan(
        loss_rate=chance.uniform(0.05, 0.3),
        duplicate_rate=0.1,
        delay_s_max=chance.uniform(0.05, 0.5),
    )


# -- peers that die


def _dies(role: str) -> Plan:
    def plan(chance: random.Random, _peers: Peers) -> FaultPlan:
        return FaultPlan(crashes=(Crash(role, chance.randint(0, 3), chance.uniform(0, _ROUND_S)),))

    return plan


def _half_dies(chance: random.Random, peers: Peers) -> FaultPlan:
    # From round 1 on: weights that only the dead had cannot be had again.
    number, delay_s = chance.randint(1, 3), chance.uniform(0, _ROUND_S)
    crashes = (
        Crash(peer, number, delay_s + chance.uniform(0, 1.5))
        for peer in chance.sample(peers, len(peers) // 2)
    )
    return FaultPlan(crashes=tuple(crashes))


def _restart(chance: random.Random, _peers: Peers) -> FaultPlan:
    roles = ("root", "aggregator", "trainer", "starter")
    crashes = tuple(
        Crash(chance.choice(roles), number, chance.uniform(0, _ROUND_S), chance.uniform(0.5, 12))
        for number in range(4)
    )
    return FaultPlan(crashes=crashes)


def _mass_restart(chance: random.Random, peers: Peers) -> FaultPlan:
    number, delay_s = chance.randint(1, 3), chance.uniform(0, _ROUND_S)
    pause_s = chance.uniform(0.5, 4)
    crashes = []
    for place, peer in enumerate(chance.sample(peers, len(peers))):
        back_s = 2 + pause_s * place + chance.uniform(0, 1)
        crashes.append(Crash(peer, number, delay_s + chance.uniform(0, 1.5), back_s))
    return FaultPlan(crashes=tuple(crashes))


def _power_cut(chance: random.Random, peers: Peers) -> FaultPlan:
    """Everybody dies in the same moment, and is back before anyone is given up."""
    number, delay_s = chance.randint(1, 3), chance.uniform(0, _ROUND_S)
    crashes = (Crash(peer, number, delay_s, chance.uniform(1, 10)) for peer in peers)
    return FaultPlan(crashes=tuple(crashes))


def _many_die(chance: random.Random, _peers: Peers) -> FaultPlan:
    roles = ("root", "aggregator", "tier-2 aggregator", "trainer")
    return FaultPlan(
        loss_rate=0.05,
        crashes=tuple(
            Crash(role, chance.randint(0, 2), chance.uniform(0, _ROUND_S)) for role in roles
        ),
    )


# -- networks that break


def _cut_s(chance: random.Random) -> tuple[float, float]:
    start_s = chance.uniform(3, 20)
    return start_s, start_s + chance.uniform(8, 40)


def _partition_heals(chance: random.Random, peers: Peers) -> FaultPlan:
    island = frozenset(chance.sample(peers, len(peers) // 2))
    return FaultPlan(partitions=(Partition(*_cut_s(chance), (island,)),))


def _composers_freeze(chance: random.Random, peers: Peers) -> FaultPlan:
    """While parted work is to be merged, who is to do it stands still, and another does."""
    partitions = _partition_heals(chance, peers).partitions
    freezes = tuple(
        Freeze("root", number, chance.uniform(4, 5.6), chance.uniform(6, 25))
        for number in range(2, 12)
    )
    return FaultPlan(partitions=partitions, freezes=freezes)


def _partition_unequal(chance: random.Random, peers: Peers) -> FaultPlan:
    shuffled = chance.sample(peers, len(peers))
    sixth = max(1, len(peers) // 6)
    cuts = chance.choice([(2,), (1,), (2, 3), (1, 2), (1, 3)])  # 4/2, 5/1, 3/1/2, 4/1/1, 3/2/1
    bounds = [0, *(sixth * cut for cut in cuts)]
    islands = tuple(frozenset(shuffled[a:b]) for a, b in pairwise(bounds))
    return FaultPlan(partitions=(Partition(*_cut_s(chance), islands),))


def _partition_in_two(chance: random.Random, peers: Peers) -> FaultPlan:
    island = frozenset(chance.sample(peers, chance.randint(1, len(peers) // 2)))
    return FaultPlan(partitions=(Partition(*_cut_s(chance), (island,)),))


def _three_sided(chance: random.Random, peers: Peers) -> FaultPlan:
    shuffled = chance.sample(peers, len(peers))
    third = max(1, len(peers) // 3)
    a, b = frozenset(shuffled[:third]), frozenset(shuffled[third : 2 * third])
    start_s, first_s = _cut_s(chance)
    second_s = first_s + chance.uniform(2, 20)
    return FaultPlan(
        partitions=(Partition(start_s, first_s, (a, b)), Partition(first_s, second_s, (a | b,)))
    )


def _flapping_link(chance: random.Random, peers: Peers) -> FaultPlan:
    island = frozenset([chance.choice(peers)])
    now_s, end_s = _cut_s(chance)
    partitions = []
    while now_s < end_s:
        down_s = now_s + chance.uniform(1, 3)
        partitions.append(Partition(now_s, down_s, (island,)))
        now_s = down_s + chance.uniform(1, 3)
    return FaultPlan(partitions=tuple(partitions))


def _one_way_loss(chance: random.Random, peers: Peers) -> FaultPlan:
    sources = frozenset(chance.sample(peers, chance.randint(1, len(peers) // 2)))
    targets = frozenset(peers) - sources
    return FaultPlan(one_way_losses=(OneWayLoss(*_cut_s(chance), sources, targets),))


def _deaf_peer_dies(chance: random.Random, peers: Peers) -> FaultPlan:
    deaf = chance.choice(peers)
    others = frozenset(peers) - {deaf}
    return FaultPlan(
        one_way_losses=(OneWayLoss(*_cut_s(chance), others, frozenset([deaf])),),
        crashes=(Crash(deaf, chance.randint(1, 4), chance.uniform(0, 2 * _ROUND_S)),),
    )


def _slow_links(chance: random.Random, _peers: Peers) -> FaultPlan:
    return FaultPlan(join_at_s=(chance.uniform(10, 40),), blob_transfer_s=8.0)


def _slow_link(chance: random.Random, _peers: Peers) -> FaultPlan:
    # So long that it is over twice the others' time in any case, and the peer takes no duty.
    upwards_only = chance.choice([True, False])
    slow_link_s = chance.uniform(7 if upwards_only else 4, 15)
    return FaultPlan(slow_link_s=slow_link_s, slow_upwards_only=upwards_only)


def _sites(chance: random.Random, _peers: Peers) -> FaultPlan:
    """Three sites, whose peers come, go and come back."""
    sites = ("berlin", "oslo", "rome")
    crashes = (
        Crash("aggregator", number, chance.uniform(0, _ROUND_S), chance.uniform(0.5, 12))
        for number in (1, 3)
    )
    return FaultPlan(
        sites=sites,
        crashes=tuple(crashes),
        join_at_s=(chance.uniform(5, 25), chance.uniform(5, 25)),
    )


# -- peers that are late, slow or wrong


def _slow(factor_min: float, factor_max: float) -> Plan:
    return lambda chance, _: FaultPlan(slow_factor=chance.uniform(factor_min, factor_max))


def _freezes(chance: random.Random, _peers: Peers) -> FaultPlan:
    return FaultPlan(
        freezes=tuple(
            Freeze(role, chance.randint(0, 3), chance.uniform(0, _ROUND_S), chance.uniform(6, 25))
            for role in ("aggregator", "root", "trainer")
        )
    )


def _clock_skew(chance: random.Random, _peers: Peers) -> FaultPlan:
    return FaultPlan(
        loss_rate=chance.uniform(0, 0.1), clock_offset_s_max=1e5, clock_rate_error_max=0.02
    )


def _late_joiners(chance: random.Random, _peers: Peers) -> FaultPlan:
    return FaultPlan(join_at_s=tuple(chance.uniform(0, 25) for _ in range(3)))


def _replayed_messages(chance: random.Random, _peers: Peers) -> FaultPlan:
    return FaultPlan(replay_rate=chance.uniform(0.05, 0.3), duplicate_rate=0.1)


def _hostile_peer(chance: random.Random, peers: Peers) -> FaultPlan:
    return FaultPlan(hostile=chance.choice(peers[1:]))


def _misled_newcomer(chance: random.Random, peers: Peers) -> FaultPlan:
    return FaultPlan(hostile=chance.choice(peers[1:]), misled_at_s=chance.uniform(8, 20))


def _invented_branches(chance: random.Random, peers: Peers) -> FaultPlan:
    """Somebody is slow, so that there is work that no head names."""
    hostile, slow_factor = chance.choice(peers[1:-1]), chance.uniform(3, 14)
    return FaultPlan(hostile=hostile, invents_branches=True, slow_factor=slow_factor)


def _weights_withheld(chance: random.Random, peers: Peers) -> FaultPlan:
    return FaultPlan(withholding=chance.choice(peers[1:]))


def _churn(chance: random.Random, peers: Peers) -> FaultPlan:
    return FaultPlan(
        loss_rate=chance.uniform(0, 0.2),
        duplicate_rate=0.1,
        delay_s_max=0.3,
        crashes=(
            *_restart(chance, peers).crashes,
            Crash("aggregator", chance.randint(0, 3), chance.uniform(0, _ROUND_S)),
        ),
        join_at_s=tuple(chance.uniform(0, 25) for _ in range(2)),
        slow_factor=chance.choice([1.0, 1.5, 3.0]),
    )


def _everything(chance: random.Random, peers: Peers) -> FaultPlan:
    hostile = chance.choice(peers[1:])
    mortal = [peer for peer in peers if peer != hostile]
    return FaultPlan(
        loss_rate=chance.uniform(0, 0.1),
        duplicate_rate=0.05,
        replay_rate=0.05,
        delay_s_max=0.3,
        crashes=(
            Crash(chance.choice(mortal), chance.randint(1, 4), chance.uniform(0, _ROUND_S), 5.0),
            Crash("root", chance.randint(1, 6), chance.uniform(0, _ROUND_S), 8.0),
        ),
        freezes=(Freeze("aggregator", chance.randint(1, 6), 1.0, chance.uniform(6, 15)),),
        partitions=(
            *_partition_in_two(chance, peers).partitions,
            *_flapping_link(chance, peers).partitions,
        ),
        join_at_s=tuple(chance.uniform(0, 25) for _ in range(2)),
        slow_factor=chance.choice([1.0, 2.0]),
        clock_offset_s_max=1e5,
        clock_rate_error_max=0.02,
        hostile=hostile,
    )


# -- operators

_OPERATOR, _STRANGER = PeerId("operator"), PeerId("stranger")


def _pause(chance: random.Random, peers: Peers) -> FaultPlan:
    """Pause and go on, while messages get lost, peers die, return and join."""
    paused_s = chance.uniform(3, 12)
    resumed_s = paused_s + chance.uniform(15, 40)
    return FaultPlan(
        loss_rate=chance.uniform(0, 0.25),
        duplicate_rate=0.1,
        replay_rate=0.1,
        clock_offset_s_max=1e5,
        crashes=_restart(chance, peers).crashes,
        join_at_s=(chance.uniform(0, resumed_s),),
        operators=(_OPERATOR,),
        orders=(
            Order(chance.uniform(1, paused_s), _STRANGER, "stop"),
            Order(paused_s, _OPERATOR, "pause"),
            Order(resumed_s, _OPERATOR, "resume"),
        ),
    )


def _stop(chance: random.Random, peers: Peers) -> FaultPlan:
    """Stop for good, while messages get lost, peers die and return."""
    return FaultPlan(
        loss_rate=chance.uniform(0, 0.25),
        replay_rate=0.1,
        crashes=_restart(chance, peers).crashes,
        operators=(_OPERATOR,),
        orders=(
            Order(chance.uniform(1, 8), _STRANGER, "pause"),
            Order(chance.uniform(30, 50), _OPERATOR, "stop"),
        ),
    )


def _remove(chance: random.Random, peers: Peers) -> FaultPlan:
    """Put a peer out, and see that the others go on without it."""
    return FaultPlan(
        loss_rate=chance.uniform(0, 0.15),
        operators=(_OPERATOR,),
        orders=(
            Order(chance.uniform(6, 15), _OPERATOR, "remove", chance.choice(peers[1:])),
            Order(chance.uniform(6, 15), _STRANGER, "remove", peers[0]),
        ),
    )


_PARTED_ROUNDS = 16
"""Enough for both sides to go on, and then together."""
_MERGING = Limits(merging_rounds=4)
_OPERATED = Limits(obedience_s=15.0)
_PROMPT = Limits(round_s=18.0)
"""Silence is noticed after five seconds, and nobody waits for a deadline."""

SCENARIOS = {
    "calm": Scenario("nothing goes wrong", _calm),
    "small-blobs": Scenario("weights ride in announcements", _lossy, size_bytes=1000),
    "lossy": Scenario("messages are lost, repeated and late", _lossy, limits=_PROMPT),
    "slow-links": Scenario(
        "weights travel longer than silence lasts", _slow_links, deadline_min_s=60.0
    ),
    "slow-link-peer": Scenario(
        "one peer's weights travel for longer than it trains",
        _slow_link,
        rounds=12,
        limits=Limits(typical_round_s=7.0),
    ),
    "sites": Scenario(
        "peers of three sites, two of which come late",
        _sites,
        num_peers=9,
        rounds=8,
        limits=Limits(sites=True),
    ),
    "slow-peer": Scenario("one peer trains slowly", _slow(3, 5)),
    "very-slow-peer": Scenario("one peer is slower than any deadline", _slow(7, 14), rounds=8),
    "frozen-peer": Scenario("peers stand still for a while, then go on", _freezes, rounds=10),
    "clock-skew": Scenario("no two clocks agree", _clock_skew),
    "aggregator-dies": Scenario("an aggregator dies", _dies("aggregator"), limits=_PROMPT),
    "root-dies": Scenario("the root's aggregator dies", _dies("root"), limits=_PROMPT),
    "trainer-dies": Scenario("a peer without duty dies", _dies("trainer"), limits=_PROMPT),
    "starter-dies": Scenario("the starter dies", _dies("starter")),
    "half-dies": Scenario("half of the peers die at once", _half_dies, limits=_PROMPT),
    "restart": Scenario("peers die and come back", _restart),
    "mass-restart": Scenario("all die at once and come back one by one", _mass_restart, rounds=8),
    "power-cut": Scenario(
        "all die at once and are back within nine seconds of each other",
        _power_cut,
        limits=Limits(all_contribute=True),
    ),
    "late-joiners": Scenario("three peers come later", _late_joiners),
    "churn": Scenario("loss, deaths, returns, latecomers, a slow peer", _churn),
    "three-tiers": Scenario("20 peers in three tiers, four die", _many_die, num_peers=20),
    "partition-heals": Scenario(
        "two halves do not hear each other",
        _partition_heals,
        rounds=_PARTED_ROUNDS,
        limits=_MERGING,
    ),
    "partition-unequal": Scenario(
        "a few peers are cut off",
        _partition_unequal,
        rounds=_PARTED_ROUNDS,
        limits=_MERGING,
    ),
    "composers-freeze": Scenario(
        "two halves do not hear each other, and who would merge them stands still",
        _composers_freeze,
        rounds=30,
        limits=_MERGING,
    ),
    "partition-majority": Scenario(
        "the smaller part waits",
        _partition_in_two,
        rounds=_PARTED_ROUNDS,
        partition_policy="majority",
    ),
    "three-sided": Scenario(
        "three islands, joined one after the other", _three_sided, rounds=_PARTED_ROUNDS
    ),
    "flapping-link": Scenario(
        "one peer's links go up and down", _flapping_link, rounds=_PARTED_ROUNDS
    ),
    "deaf-peer-dies": Scenario("a peer hears nobody, is heard, and dies", _deaf_peer_dies),
    "one-way-loss": Scenario("some are heard by nobody", _one_way_loss, rounds=_PARTED_ROUNDS),
    "replayed-messages": Scenario("old messages come again", _replayed_messages, rounds=8),
    "hostile-peer": Scenario(
        "one peer lies and floods", _hostile_peer, rounds=8, limits=Limits(quarantines=True)
    ),
    "invented-branches": Scenario(
        "one peer tells of parted work that nobody did", _invented_branches, rounds=8
    ),
    "weights-withheld": Scenario(
        "nobody gets weights from one peer, which does all else as it should", _weights_withheld
    ),
    "misled-newcomer": Scenario(
        "a newcomer believes a liar, and passes its lies on",
        _misled_newcomer,
        rounds=8,
        limits=Limits(quarantines=True),
    ),
    "paused": Scenario(
        "an operator pauses and resumes, a stranger tries to", _pause, rounds=12, limits=_OPERATED
    ),
    "stopped": Scenario("an operator ends the session early", _stop, rounds=100, limits=_OPERATED),
    "removed": Scenario("an operator puts a peer out", _remove, rounds=12, limits=_OPERATED),
    "everything": Scenario("all of it, in moderation", _everything, rounds=20),
}
