"""Scenarios: swarms and their faults by name; the seed chooses when exactly things go wrong."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from swarm.core.session import SessionSpec
from swarm.simulation.checkers import Checkers
from swarm.simulation.faults import Crash, FaultPlan
from swarm.simulation.simulator import Simulator

UNTIL_S = 900.0
_ROUND_S = 6.0
"""A round of simulated training takes about so long."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A swarm and what goes wrong in it."""

    about: str
    plan: Callable[[random.Random], FaultPlan]
    cluster_size: int = 3
    num_peers: int = 6
    size_bytes: int = 10**6
    """Size of a blob of weights; small ones ride in announcements."""
    deadline_min_s: float = 5.0

    def prepare(self, seed: int, num_peers: int | None = None, rounds: int = 5) -> Simulator:
        """A simulator of this scenario, nothing delivered yet."""
        plan = self.plan(random.Random(seed))  # noqa: S311 (reproducible on purpose)
        spec = SessionSpec(
            rounds=rounds,
            cluster_size=self.cluster_size,
            min_peers=2,
            deadline_first_s=max(30.0, self.deadline_min_s),
            deadline_min_s=self.deadline_min_s,
        )
        return Simulator(spec, num_peers or self.num_peers, plan, seed, self.size_bytes)

    def rehearse(self, simulator: Simulator) -> None:
        """Run a history to its end, checking after every event.

        Raises:
            CheckError: A promise of the protocol was broken.
        """
        checkers = Checkers(simulator)
        simulator.run(UNTIL_S, checkers.check)
        checkers.check_end()


def _crash(role: str, *, restarts: bool = False) -> Callable[[random.Random], FaultPlan]:
    def plan(chance: random.Random) -> FaultPlan:
        back_s = chance.uniform(0.5, 12) if restarts else None
        return FaultPlan(
            crashes=(Crash(role, chance.randint(0, 3), chance.uniform(0, _ROUND_S), back_s),)
        )

    return plan


def _lossy(chance: random.Random) -> FaultPlan:
    return FaultPlan(
        loss_rate=chance.uniform(0.05, 0.3),
        duplicate_rate=0.1,
        delay_s_max=chance.uniform(0.05, 0.5),
    )


def _restart(chance: random.Random) -> FaultPlan:
    roles = ("root", "aggregator", "trainer", "starter")
    crashes = tuple(
        Crash(chance.choice(roles), number, chance.uniform(0, _ROUND_S), chance.uniform(0.5, 12))
        for number in range(4)
    )
    return FaultPlan(crashes=crashes)


def _late_joiners(chance: random.Random) -> FaultPlan:
    return FaultPlan(join_at_s=tuple(chance.uniform(0, 25) for _ in range(3)))


def _churn_mix(chance: random.Random) -> FaultPlan:
    return FaultPlan(
        loss_rate=chance.uniform(0, 0.2),
        duplicate_rate=0.1,
        delay_s_max=0.3,
        crashes=(
            *_restart(chance).crashes,
            Crash("aggregator", chance.randint(0, 3), chance.uniform(0, _ROUND_S)),
        ),
        join_at_s=tuple(chance.uniform(0, 25) for _ in range(2)),
        slow_factor=chance.choice([1.0, 1.5, 3.0]),
    )


def _slow_links(chance: random.Random) -> FaultPlan:
    return FaultPlan(join_at_s=(chance.uniform(10, 40),), blob_transfer_s=8.0)


def _many_die(chance: random.Random) -> FaultPlan:
    return FaultPlan(
        loss_rate=0.05,
        crashes=tuple(
            Crash(role, chance.randint(0, 2), chance.uniform(0, _ROUND_S))
            for role in ("root", "aggregator", "aggregator", "trainer")
        ),
    )


SCENARIOS = {
    "calm": Scenario("nothing goes wrong", lambda _: FaultPlan()),
    "small-blobs": Scenario("weights ride in announcements", _lossy, size_bytes=1000),
    "lossy": Scenario("messages are lost, repeated and late", _lossy),
    "slow-links": Scenario(
        "weights travel longer than silence lasts", _slow_links, deadline_min_s=60.0
    ),
    "slow-peer": Scenario("one peer trains slowly", lambda _: FaultPlan(slow_factor=4.0)),
    "aggregator-dies": Scenario("an aggregator dies", _crash("aggregator")),
    "root-dies": Scenario("the root's aggregator dies", _crash("root")),
    "trainer-dies": Scenario("a peer without duty dies", _crash("trainer")),
    "starter-dies": Scenario("the starter dies", _crash("starter")),
    "restart": Scenario("peers die and come back", _restart),
    "late-joiners": Scenario("three peers come later", _late_joiners),
    "churn-mix": Scenario("loss, deaths, returns, latecomers, a slow peer", _churn_mix),
    "three-tiers": Scenario("20 peers in three tiers, four die", _many_die, num_peers=20),
}
