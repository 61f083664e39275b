"""Plans: what goes wrong in a session; the seed chooses when exactly."""

import random
from dataclasses import replace
from itertools import pairwise

from swarm.core.ids import PeerId
from swarm.simulation.faults import (
    Crash,
    Freeze,
    OneWayLoss,
    Partition,
    ScheduledCommand,
    Stall,
)
from swarm.simulation.federation.faults import SessionFaults
from swarm.simulation.federation.scenario import Peers, Plan

_ROUND_S = 6.0
"""Approximate duration of a round of simulated training."""
_LATE_UNTIL_S = 150.0
"""Until then peers stand still now and then, in a session whose machines are busy."""


def calm(_chance: random.Random, _peers: Peers) -> SessionFaults:
    """Nothing goes wrong."""
    return SessionFaults()


def lossy(chance: random.Random, _peers: Peers) -> SessionFaults:
    """Messages are lost, duplicated and late."""
    return SessionFaults(
        loss_rate=chance.uniform(0.05, 0.3),
        duplicate_rate=0.1,
        delay_s_max=chance.uniform(0.05, 0.5),
    )


# -- peers that die


def dies(role: str) -> Plan:
    """The peer in this role dies."""

    def plan(chance: random.Random, _peers: Peers) -> SessionFaults:
        return SessionFaults(
            crashes=(Crash(role, chance.randint(0, 3), chance.uniform(0, _ROUND_S)),)
        )

    return plan


def half_dies(chance: random.Random, peers: Peers) -> SessionFaults:
    """Half of the peers die within two seconds."""
    # Not before round 1: weights that only dead peers have are lost.
    number, delay_s = chance.randint(1, 3), chance.uniform(0, _ROUND_S)
    crashes = (
        Crash(peer, number, delay_s + chance.uniform(0, 1.5))
        for peer in chance.sample(peers, len(peers) // 2)
    )
    return SessionFaults(crashes=tuple(crashes))


def restart(chance: random.Random, _peers: Peers) -> SessionFaults:
    """In each of the first four rounds, a peer dies and restarts."""
    roles = ("root", "aggregator", "trainer", "starter")
    crashes = tuple(
        Crash(chance.choice(roles), number, chance.uniform(0, _ROUND_S), chance.uniform(0.5, 12))
        for number in range(4)
    )
    return SessionFaults(crashes=crashes)


def mass_restart(chance: random.Random, peers: Peers) -> SessionFaults:
    """All peers die at once, and restart one by one."""
    number, delay_s = chance.randint(1, 3), chance.uniform(0, _ROUND_S)
    pause_s = chance.uniform(0.5, 4)
    crashes = []
    for place, peer in enumerate(chance.sample(peers, len(peers))):
        back_s = 2 + pause_s * place + chance.uniform(0, 1)
        crashes.append(Crash(peer, number, delay_s + chance.uniform(0, 1.5), back_s))
    return SessionFaults(crashes=tuple(crashes))


def power_cut(chance: random.Random, peers: Peers) -> SessionFaults:
    """All peers die in the same moment.

    They restart within nine seconds of each other, before any is given up.
    """
    number, delay_s = chance.randint(1, 3), chance.uniform(0, _ROUND_S)
    crashes = (Crash(peer, number, delay_s, chance.uniform(1, 10)) for peer in peers)
    return SessionFaults(crashes=tuple(crashes))


def many_die(chance: random.Random, _peers: Peers) -> SessionFaults:
    """One peer of each of three tiers dies, and a trainer."""
    roles = ("root", "aggregator", "tier-2 aggregator", "trainer")
    return SessionFaults(
        loss_rate=0.05,
        crashes=tuple(
            Crash(role, chance.randint(0, 2), chance.uniform(0, _ROUND_S)) for role in roles
        ),
    )


# -- networks that break


def _cut_s(chance: random.Random) -> tuple[float, float]:
    start_s = chance.uniform(3, 20)
    return start_s, start_s + chance.uniform(8, 40)


def partition_heals(chance: random.Random, peers: Peers) -> SessionFaults:
    """Two halves do not hear each other for a while, and then merge."""
    island = frozenset(chance.sample(peers, len(peers) // 2))
    return SessionFaults(partitions=(Partition(*_cut_s(chance), (island,)),))


def composers_freeze(chance: random.Random, peers: Peers) -> SessionFaults:
    """When a partition heals, the peer that should merge freezes, so that another one does."""
    partitions = partition_heals(chance, peers).partitions
    freezes = tuple(
        Freeze("root", number, chance.uniform(4, 5.6), chance.uniform(6, 25))
        for number in range(2, 12)
    )
    return SessionFaults(partitions=partitions, freezes=freezes)


def partition_unequal(chance: random.Random, peers: Peers) -> SessionFaults:
    """A few peers are cut off, in one island or two."""
    shuffled = chance.sample(peers, len(peers))
    sixth = max(1, len(peers) // 6)
    cuts = chance.choice([(2,), (1,), (2, 3), (1, 2), (1, 3)])  # 4/2, 5/1, 3/1/2, 4/1/1, 3/2/1
    bounds = [0, *(sixth * cut for cut in cuts)]
    islands = tuple(frozenset(shuffled[a:b]) for a, b in pairwise(bounds))
    return SessionFaults(partitions=(Partition(*_cut_s(chance), islands),))


def partition_in_two(chance: random.Random, peers: Peers) -> SessionFaults:
    """Up to half of the peers are cut off."""
    island = frozenset(chance.sample(peers, chance.randint(1, len(peers) // 2)))
    return SessionFaults(partitions=(Partition(*_cut_s(chance), (island,)),))


def three_sided(chance: random.Random, peers: Peers) -> SessionFaults:
    """Three islands are joined one after the other."""
    shuffled = chance.sample(peers, len(peers))
    third = max(1, len(peers) // 3)
    a, b = frozenset(shuffled[:third]), frozenset(shuffled[third : 2 * third])
    start_s, first_s = _cut_s(chance)
    second_s = first_s + chance.uniform(2, 20)
    return SessionFaults(
        partitions=(Partition(start_s, first_s, (a, b)), Partition(first_s, second_s, (a | b,)))
    )


def flapping_link(chance: random.Random, peers: Peers) -> SessionFaults:
    """One peer's links go up and down."""
    island = frozenset([chance.choice(peers)])
    now_s, end_s = _cut_s(chance)
    partitions = []
    while now_s < end_s:
        down_s = now_s + chance.uniform(1, 3)
        partitions.append(Partition(now_s, down_s, (island,)))
        now_s = down_s + chance.uniform(1, 3)
    return SessionFaults(partitions=tuple(partitions))


def one_way_loss(chance: random.Random, peers: Peers) -> SessionFaults:
    """Some peers are not heard by the others for a while, although they hear them."""
    sources = frozenset(chance.sample(peers, chance.randint(1, len(peers) // 2)))
    targets = frozenset(peers) - sources
    return SessionFaults(one_way_losses=(OneWayLoss(*_cut_s(chance), sources, targets),))


def deaf_peer_dies(chance: random.Random, peers: Peers) -> SessionFaults:
    """A peer that hears no other peer, but is heard, dies."""
    deaf = chance.choice(peers)
    others = frozenset(peers) - {deaf}
    return SessionFaults(
        one_way_losses=(OneWayLoss(*_cut_s(chance), others, frozenset([deaf])),),
        crashes=(Crash(deaf, chance.randint(1, 4), chance.uniform(0, 2 * _ROUND_S)),),
    )


def slow_links(chance: random.Random, _peers: Peers) -> SessionFaults:
    """Transfers of weights take longer than the silence after which a peer counts as lost."""
    return SessionFaults(join_at_s=(chance.uniform(10, 40),), blob_transfer_s=8.0)


def slow_link(chance: random.Random, _peers: Peers) -> SessionFaults:
    """Transfers of one peer's weights take longer than its training."""
    # Over twice the others' time in any case, so that the peer takes no duty.
    upwards_only = chance.choice([True, False])
    slow_link_s = chance.uniform(7 if upwards_only else 4, 15)
    return SessionFaults(slow_link_s=slow_link_s, slow_upwards_only=upwards_only)


def sites(chance: random.Random, _peers: Peers) -> SessionFaults:
    """The peers of three sites die, restart and join late."""
    sites = ("berlin", "oslo", "rome")
    crashes = (
        Crash("aggregator", number, chance.uniform(0, _ROUND_S), chance.uniform(0.5, 12))
        for number in (1, 3)
    )
    return SessionFaults(
        sites=sites,
        crashes=tuple(crashes),
        join_at_s=(chance.uniform(5, 25), chance.uniform(5, 25)),
    )


# -- peers that are late, slow or wrong


def slow(factor_min: float, factor_max: float) -> Plan:
    """One peer needs a multiple, between these factors, of the others' time to train."""
    return lambda chance, _: SessionFaults(slow_factor=chance.uniform(factor_min, factor_max))


def slowed(chance: random.Random, _peers: Peers) -> SessionFaults:
    """All peers share a busy machine: training and combining take eight times as long."""
    return SessionFaults(
        speeds=tuple(chance.uniform(6, 9) for _ in range(6)), combining_s=chance.uniform(0.2, 12)
    )


def slowed_midway(chance: random.Random, _peers: Peers) -> SessionFaults:
    """The machine of all peers becomes busy in the middle of the run."""
    speeds = tuple(chance.uniform(6, 9) for _ in range(6))
    return SessionFaults(
        speeds=speeds, slowed_at_s=chance.uniform(8, 25), combining_s=chance.uniform(0.02, 8)
    )


def uneven(chance: random.Random, _peers: Peers) -> SessionFaults:
    """Some machines are up to eight times as fast as others, and none has been timed before."""
    return SessionFaults(speeds=tuple(chance.uniform(1, 8) for _ in range(6)))


def late_loops(chance: random.Random, peers: Peers) -> SessionFaults:
    """The machines of all peers become busy: each stands still again and again, ever longer.

    Some heartbeats are lost besides. Pings are answered just in time, so connections stay open.
    """
    stalls = []
    for peer in peers:
        now_s, lengths_s = chance.uniform(2, 8), [1.0, 1.5, 2.2]
        while now_s < _LATE_UNTIL_S:
            length_s = lengths_s.pop(0) if lengths_s else chance.uniform(2.9, 3.4)
            stalls.append(Stall(peer, now_s, length_s))
            now_s += length_s + chance.uniform(3, 8)
    return replace(slowed(chance, peers), stalls=tuple(stalls), loss_rate=0.03)


def hangs(chance: random.Random, peers: Peers) -> SessionFaults:
    """The training of one peer stops half-way, while its heartbeats go on."""
    return SessionFaults(hanging=chance.choice(peers))


def pretends(chance: random.Random, peers: Peers) -> SessionFaults:
    """One peer says for ever that it gets on with its work."""
    return SessionFaults(pretending=chance.choice(peers))


def freezes(chance: random.Random, _peers: Peers) -> SessionFaults:
    """Peers of each role freeze for a while, then go on."""
    return SessionFaults(
        freezes=tuple(
            Freeze(role, chance.randint(0, 3), chance.uniform(0, _ROUND_S), chance.uniform(6, 25))
            for role in ("aggregator", "root", "trainer")
        )
    )


def training_fails(chance: random.Random, peers: Peers) -> SessionFaults:
    """Each training of one peer fails, whatever its role; messages are lost."""
    return SessionFaults(failing=chance.choice(peers), loss_rate=chance.uniform(0, 0.15))


def stops_early(chance: random.Random, peers: Peers) -> SessionFaults:
    """The network splits and heals, peers restart and join late; accuracy goes up and down."""
    return SessionFaults(
        loss_rate=chance.uniform(0, 0.15),
        crashes=restart(chance, peers).crashes,
        partitions=partition_in_two(chance, peers).partitions,
        join_at_s=tuple(chance.uniform(0, 30) for _ in range(2)),
    )


def clock_skew(chance: random.Random, _peers: Peers) -> SessionFaults:
    """No two clocks agree."""
    return SessionFaults(
        loss_rate=chance.uniform(0, 0.1), clock_offset_s_max=1e5, clock_rate_error_max=0.02
    )


def late_joiners(chance: random.Random, _peers: Peers) -> SessionFaults:
    """Three peers join late."""
    return SessionFaults(join_at_s=tuple(chance.uniform(0, 25) for _ in range(3)))


def replayed_messages(chance: random.Random, _peers: Peers) -> SessionFaults:
    """Old messages are delivered again."""
    return SessionFaults(replay_rate=chance.uniform(0.05, 0.3), duplicate_rate=0.1)


def hostile_peer(chance: random.Random, peers: Peers) -> SessionFaults:
    """One peer lies and floods."""
    return SessionFaults(hostile=chance.choice(peers[1:]))


def misled_newcomer(chance: random.Random, peers: Peers) -> SessionFaults:
    """A newcomer has only a liar to contact, believes it, and passes its lies on."""
    return SessionFaults(
        hostile=chance.choice(peers[1:]), join_at_s=(chance.uniform(8, 20),), misled=True
    )


def invented_branches(chance: random.Random, peers: Peers) -> SessionFaults:
    """One peer announces branches of work that no peer did.

    Another one is slow, so that there is work that no head names.
    """
    hostile, slow_factor = chance.choice(peers[1:-1]), chance.uniform(3, 14)
    return SessionFaults(hostile=hostile, invents_branches=True, slow_factor=slow_factor)


def weights_withheld(chance: random.Random, peers: Peers) -> SessionFaults:
    """One peer gives its weights to no other, and is correct in all else."""
    return SessionFaults(withholding=chance.choice(peers[1:]))


def churn(chance: random.Random, peers: Peers) -> SessionFaults:
    """Messages are lost, peers die, restart and join late, and one is slow."""
    return SessionFaults(
        loss_rate=chance.uniform(0, 0.2),
        duplicate_rate=0.1,
        delay_s_max=0.3,
        crashes=(
            *restart(chance, peers).crashes,
            Crash("aggregator", chance.randint(0, 3), chance.uniform(0, _ROUND_S)),
        ),
        join_at_s=tuple(chance.uniform(0, 25) for _ in range(2)),
        slow_factor=chance.choice([1.0, 1.5, 3.0]),
    )


def everything(chance: random.Random, peers: Peers) -> SessionFaults:
    """All faults together, in moderation."""
    hostile = chance.choice(peers[1:])
    mortal = [peer for peer in peers if peer != hostile]
    return SessionFaults(
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
            *partition_in_two(chance, peers).partitions,
            *flapping_link(chance, peers).partitions,
        ),
        join_at_s=tuple(chance.uniform(0, 25) for _ in range(2)),
        slow_factor=chance.choice([1.0, 2.0]),
        clock_offset_s_max=1e5,
        clock_rate_error_max=0.02,
        hostile=hostile,
    )


# -- operators

_OPERATOR, _STRANGER = PeerId("operator"), PeerId("stranger")


def pause(chance: random.Random, peers: Peers) -> SessionFaults:
    """An operator pauses and resumes; a stranger tries to stop.

    Meanwhile messages are lost, and peers die, restart and join.
    """
    paused_s = chance.uniform(3, 12)
    resumed_s = paused_s + chance.uniform(15, 40)
    return SessionFaults(
        loss_rate=chance.uniform(0, 0.25),
        duplicate_rate=0.1,
        replay_rate=0.1,
        clock_offset_s_max=1e5,
        crashes=restart(chance, peers).crashes,
        join_at_s=(chance.uniform(0, resumed_s),),
        operators=(_OPERATOR,),
        commands=(
            ScheduledCommand(chance.uniform(1, paused_s), _STRANGER, "stop"),
            ScheduledCommand(paused_s, _OPERATOR, "pause"),
            ScheduledCommand(resumed_s, _OPERATOR, "resume"),
        ),
    )


def stop(chance: random.Random, peers: Peers) -> SessionFaults:
    """An operator stops the session early; a stranger tries to pause it.

    Meanwhile messages are lost, and peers die and restart.
    """
    return SessionFaults(
        loss_rate=chance.uniform(0, 0.25),
        replay_rate=0.1,
        crashes=restart(chance, peers).crashes,
        operators=(_OPERATOR,),
        commands=(
            ScheduledCommand(chance.uniform(1, 8), _STRANGER, "pause"),
            ScheduledCommand(chance.uniform(30, 50), _OPERATOR, "stop"),
        ),
    )


def remove(chance: random.Random, peers: Peers) -> SessionFaults:
    """An operator removes a peer, and the others go on; a stranger tries to remove another."""
    return SessionFaults(
        loss_rate=chance.uniform(0, 0.15),
        operators=(_OPERATOR,),
        commands=(
            ScheduledCommand(chance.uniform(6, 15), _OPERATOR, "remove", chance.choice(peers[1:])),
            ScheduledCommand(chance.uniform(6, 15), _STRANGER, "remove", peers[0]),
        ),
    )
