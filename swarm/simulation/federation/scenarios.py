"""Scenarios: sessions and their faults by name; each plan's docstring says what goes wrong."""

from swarm.simulation.federation import plans
from swarm.simulation.federation.checkers import Limits
from swarm.simulation.federation.scenario import SessionScenario as Session

_PARTED_ROUNDS = 16
"""Enough for both sides to go on apart, and then together."""
_MERGING = Limits(merging_rounds=4)
_OPERATED = Limits(obedience_s=15.0)
_PROMPT = Limits(round_s=18.0)
"""Silence is noticed after five seconds, so no peer waits for a deadline."""
_LOSSY = Limits(round_s=24.0, typical_round_s=12.0)
"""Messages are repeated every two seconds, and 3 in 10 are lost. In one session of a thousand,
every stage of some round loses its messages. Most rounds are as prompt as without loss."""
_HUNG = Limits(round_s=36.0)
"""The first deadline, which is 30 s, and one step of a standby."""
_PRETENDED = Limits(round_s=75.0)
"""Eight times what a quorum took in the first round, and then a standby's step."""

SESSION_SCENARIOS = {
    "calm": Session(plans.calm),
    "small-blobs": Session(plans.lossy, size_bytes=1000),
    "lossy": Session(plans.lossy, rounds=9, limits=_LOSSY),
    "slow-links": Session(plans.slow_links, deadline_min_s=60.0),
    "slow-link-peer": Session(plans.slow_link, rounds=12, limits=Limits(typical_round_s=7.0)),
    "sites": Session(plans.sites, num_peers=9, rounds=8, limits=Limits(sites=True)),
    "slow-peer": Session(plans.slow(3, 5)),
    "very-slow-peer": Session(plans.slow(7, 14), rounds=8),  # slower than any deadline
    "slowed": Session(plans.slowed, limits=Limits(undisturbed=True)),
    "slowed-midway": Session(plans.slowed_midway, limits=Limits(undisturbed=True)),
    "slowed-tiers": Session(plans.slowed, num_peers=12, limits=Limits(undisturbed=True)),
    "uneven-speeds": Session(
        plans.uneven, limits=Limits(undisturbed=True, first_round_whole=True)
    ),
    "late-loops": Session(plans.late_loops, limits=Limits(undisturbed=True)),
    "hanging-learner": Session(plans.hangs, limits=_HUNG),
    "pretending-peer": Session(plans.pretends, limits=_PRETENDED),
    "frozen-peer": Session(plans.freezes, rounds=10, limits=Limits(only_silent_lost=True)),
    "training-fails": Session(plans.training_fails),
    "stops-early": Session(plans.stops_early, rounds=60, early_stop=3),
    "clock-skew": Session(plans.clock_skew),
    "aggregator-dies": Session(plans.dies("aggregator"), limits=_PROMPT),
    "root-dies": Session(plans.dies("root"), limits=_PROMPT),
    "trainer-dies": Session(plans.dies("trainer"), limits=_PROMPT),
    "starter-dies": Session(plans.dies("starter")),
    "half-dies": Session(plans.half_dies, limits=_PROMPT),
    "restart": Session(plans.restart),
    "mass-restart": Session(plans.mass_restart, rounds=8),
    "power-cut": Session(plans.power_cut, limits=Limits(all_contribute=True)),
    "late-joiners": Session(plans.late_joiners),
    "churn": Session(plans.churn),
    "three-tiers": Session(plans.many_die, num_peers=20),
    "partition-heals": Session(plans.partition_heals, rounds=_PARTED_ROUNDS, limits=_MERGING),
    "partition-unequal": Session(plans.partition_unequal, rounds=_PARTED_ROUNDS, limits=_MERGING),
    "composers-freeze": Session(plans.composers_freeze, rounds=30, limits=_MERGING),
    "partition-majority": Session(
        plans.partition_in_two, rounds=_PARTED_ROUNDS, partition_policy="majority"
    ),
    "three-sided": Session(plans.three_sided, rounds=_PARTED_ROUNDS),
    "flapping-link": Session(plans.flapping_link, rounds=_PARTED_ROUNDS),
    "deaf-peer-dies": Session(plans.deaf_peer_dies),
    "one-way-loss": Session(plans.one_way_loss, rounds=_PARTED_ROUNDS),
    "replayed-messages": Session(plans.replayed_messages, rounds=8),
    "hostile-peer": Session(
        plans.hostile_peer,
        rounds=12,  # until one of its victims has met three of its lies
        limits=Limits(quarantines=True),
    ),
    "invented-branches": Session(plans.invented_branches, rounds=8),
    "weights-withheld": Session(plans.weights_withheld),
    "misled-newcomer": Session(plans.misled_newcomer, rounds=8, limits=Limits(quarantines=True)),
    "paused": Session(plans.pause, rounds=12, limits=_OPERATED),
    "stopped": Session(plans.stop, rounds=100, limits=_OPERATED),
    "removed": Session(plans.remove, rounds=12, limits=_OPERATED),
    "everything": Session(plans.everything, rounds=20),
}
