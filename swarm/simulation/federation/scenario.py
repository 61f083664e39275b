"""Scenario: a swarm and what goes wrong in it, ready to be rehearsed."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.simulation.faults import FaultPlan
from swarm.simulation.federation.checkers import Checkers, Limits, noticing_errors
from swarm.simulation.federation.simulator import Simulator, peer_names

UNTIL_S = 900.0
LARGE_SWARM_PEERS_MIN = 65
LARGE_SWARM_CLUSTER_SIZE = 8

Peers = tuple[PeerId, ...]
Plan = Callable[[random.Random, Peers], FaultPlan]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A swarm and what goes wrong in it."""

    about: str
    plan: Plan
    cluster_size: int = 3
    num_peers: int = 6
    rounds: int = 5
    size_bytes: int = 10**6
    """Size of a blob of weights; small ones ride in announcements."""
    deadline_min_s: float = 5.0
    partition_policy: str = "merge"
    limits: Limits = field(default_factory=Limits)

    def prepare(
        self, seed: int, num_peers: int | None = None, rounds: int | None = None
    ) -> Simulator:
        """A simulator of this scenario, nothing delivered yet."""
        size = num_peers or self.num_peers
        plan = self.plan(random.Random(seed), peer_names(size))  # noqa: S311 (reproducible)
        spec = SessionSpec(
            rounds=rounds or self.rounds,
            cluster_size=max(
                self.cluster_size, LARGE_SWARM_CLUSTER_SIZE * (size >= LARGE_SWARM_PEERS_MIN)
            ),
            min_peers=2,
            deadline_first_s=max(30.0, self.deadline_min_s),
            deadline_min_s=self.deadline_min_s,
            partition_policy=self.partition_policy,
        )
        return Simulator(spec, size, plan, seed, self.size_bytes)

    def rehearse(self, simulator: Simulator) -> Checkers:
        """Run a history to its end, checking after every event.

        Raises:
            CheckError: A promise of the protocol was broken.
        """
        checkers = Checkers(simulator, self.limits)
        with noticing_errors():
            simulator.run(UNTIL_S, checkers.check)
        checkers.check_end()
        return checkers
