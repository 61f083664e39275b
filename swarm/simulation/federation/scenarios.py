"""Scenarios: swarms and their faults by name."""

from swarm.simulation.federation import plans
from swarm.simulation.federation.checkers import Limits
from swarm.simulation.federation.scenario import SessionScenario

_PARTED_ROUNDS = 16
"""Enough for both sides to go on, and then together."""
_MERGING = Limits(merging_rounds=4)
_OPERATED = Limits(obedience_s=15.0)
_PROMPT = Limits(round_s=18.0)
"""Silence is noticed after five seconds, and nobody waits for a deadline."""
_LOSSY = Limits(round_s=24.0, typical_round_s=12.0)
"""What is repeated every two seconds and lost three times in ten is, once in a thousand sessions,
lost at every stage of a round; most rounds are as prompt as any."""

SESSION_SCENARIOS = {
    "calm": SessionScenario("nothing goes wrong", plans.calm),
    "small-blobs": SessionScenario("weights ride in announcements", plans.lossy, size_bytes=1000),
    "lossy": SessionScenario(
        "messages are lost, repeated and late", plans.lossy, rounds=9, limits=_LOSSY
    ),
    "slow-links": SessionScenario(
        "weights travel longer than silence lasts", plans.slow_links, deadline_min_s=60.0
    ),
    "slow-link-peer": SessionScenario(
        "one peer's weights travel for longer than it trains",
        plans.slow_link,
        rounds=12,
        limits=Limits(typical_round_s=7.0),
    ),
    "sites": SessionScenario(
        "peers of three sites, two of which come late",
        plans.sites,
        num_peers=9,
        rounds=8,
        limits=Limits(sites=True),
    ),
    "slow-peer": SessionScenario("one peer trains slowly", plans.slow(3, 5)),
    "very-slow-peer": SessionScenario(
        "one peer is slower than any deadline", plans.slow(7, 14), rounds=8
    ),
    "frozen-peer": SessionScenario(
        "peers stand still for a while, then go on", plans.freezes, rounds=10
    ),
    "clock-skew": SessionScenario("no two clocks agree", plans.clock_skew),
    "aggregator-dies": SessionScenario(
        "an aggregator dies", plans.dies("aggregator"), limits=_PROMPT
    ),
    "root-dies": SessionScenario("the root's aggregator dies", plans.dies("root"), limits=_PROMPT),
    "trainer-dies": SessionScenario(
        "a peer without duty dies", plans.dies("trainer"), limits=_PROMPT
    ),
    "starter-dies": SessionScenario("the starter dies", plans.dies("starter")),
    "half-dies": SessionScenario("half of the peers die at once", plans.half_dies, limits=_PROMPT),
    "restart": SessionScenario("peers die and come back", plans.restart),
    "mass-restart": SessionScenario(
        "all die at once and come back one by one", plans.mass_restart, rounds=8
    ),
    "power-cut": SessionScenario(
        "all die at once and are back within nine seconds of each other",
        plans.power_cut,
        limits=Limits(all_contribute=True),
    ),
    "late-joiners": SessionScenario("three peers come later", plans.late_joiners),
    "churn": SessionScenario("loss, deaths, returns, latecomers, a slow peer", plans.churn),
    "three-tiers": SessionScenario(
        "20 peers in three tiers, four die", plans.many_die, num_peers=20
    ),
    "partition-heals": SessionScenario(
        "two halves do not hear each other",
        plans.partition_heals,
        rounds=_PARTED_ROUNDS,
        limits=_MERGING,
    ),
    "partition-unequal": SessionScenario(
        "a few peers are cut off",
        plans.partition_unequal,
        rounds=_PARTED_ROUNDS,
        limits=_MERGING,
    ),
    "composers-freeze": SessionScenario(
        "two halves do not hear each other, and who would merge them stands still",
        plans.composers_freeze,
        rounds=30,
        limits=_MERGING,
    ),
    "partition-majority": SessionScenario(
        "the smaller part waits",
        plans.partition_in_two,
        rounds=_PARTED_ROUNDS,
        partition_policy="majority",
    ),
    "three-sided": SessionScenario(
        "three islands, joined one after the other", plans.three_sided, rounds=_PARTED_ROUNDS
    ),
    "flapping-link": SessionScenario(
        "one peer's links go up and down", plans.flapping_link, rounds=_PARTED_ROUNDS
    ),
    "deaf-peer-dies": SessionScenario(
        "a peer hears nobody, is heard, and dies", plans.deaf_peer_dies
    ),
    "one-way-loss": SessionScenario(
        "some are heard by nobody", plans.one_way_loss, rounds=_PARTED_ROUNDS
    ),
    "replayed-messages": SessionScenario(
        "old messages come again", plans.replayed_messages, rounds=8
    ),
    "hostile-peer": SessionScenario(
        "one peer lies and floods",
        plans.hostile_peer,
        rounds=12,  # as long as it takes until one of its victims has met three of its lies
        limits=Limits(quarantines=True),
    ),
    "invented-branches": SessionScenario(
        "one peer tells of parted work that nobody did", plans.invented_branches, rounds=8
    ),
    "weights-withheld": SessionScenario(
        "nobody gets weights from one peer, which does all else as it should",
        plans.weights_withheld,
    ),
    "misled-newcomer": SessionScenario(
        "a newcomer believes a liar, and passes its lies on",
        plans.misled_newcomer,
        rounds=8,
        limits=Limits(quarantines=True),
    ),
    "paused": SessionScenario(
        "an operator pauses and resumes, a stranger tries to",
        plans.pause,
        rounds=12,
        limits=_OPERATED,
    ),
    "stopped": SessionScenario(
        "an operator ends the session early", plans.stop, rounds=100, limits=_OPERATED
    ),
    "removed": SessionScenario(
        "an operator puts a peer out", plans.remove, rounds=12, limits=_OPERATED
    ),
    "everything": SessionScenario("all of it, in moderation", plans.everything, rounds=20),
}
