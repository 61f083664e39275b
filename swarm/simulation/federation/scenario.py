"""SessionScenario: a session and what goes wrong in it, ready to be rehearsed."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from swarm.core.ids import PeerId
from swarm.core.session import SessionSpec
from swarm.simulation.federation.checkers import Limits, SessionCheckers
from swarm.simulation.federation.faults import SessionFaults
from swarm.simulation.federation.simulator import SessionSimulator
from swarm.simulation.federation.transcript import Transcript
from swarm.simulation.peers import peer_names
from swarm.simulation.scenario import Scenario

LARGE_SWARM_PEERS_MIN = 65
LARGE_SWARM_CLUSTER_SIZE = 8

Peers = tuple[PeerId, ...]
Plan = Callable[[random.Random, Peers], SessionFaults]


@dataclass(frozen=True, slots=True)
class SessionScenario(Scenario[SessionSimulator]):
    """A session and what goes wrong in it."""

    plan: Plan
    cluster_size: int = 3
    num_peers: int = 6
    rounds: int = 5
    size_bytes: int = 10**6
    """Size of a blob of weights; small ones ride in announcements."""
    deadline_min_s: float = 5.0
    partition_policy: str = "merge"
    early_stop: int = 0
    limits: Limits = field(default_factory=Limits)

    def prepare(
        self, seed: int, num_peers: int | None = None, length: int | None = None
    ) -> SessionSimulator:
        """A session of this many rounds in which nothing has happened yet."""
        size = num_peers or self.num_peers
        plan = self.plan(random.Random(seed), peer_names(size))  # noqa: S311 (reproducible)
        spec = SessionSpec(
            rounds=length or self.rounds,
            cluster_size=max(
                self.cluster_size, LARGE_SWARM_CLUSTER_SIZE * (size >= LARGE_SWARM_PEERS_MIN)
            ),
            min_peers=2,
            deadline_first_s=max(30.0, self.deadline_min_s),
            deadline_min_s=self.deadline_min_s,
            partition_policy=self.partition_policy,
            early_stop=self.early_stop,
        )
        return SessionSimulator(spec, size, plan, seed, self.size_bytes)

    def watch(self, world: SessionSimulator) -> SessionCheckers:
        """Check the promises of docs/protocol.md while the session runs."""
        return SessionCheckers(world, self.limits)

    def transcribe(self, write: Callable[[str], None]) -> Transcript:
        """Write down what each peer got and did."""
        return Transcript(write)
