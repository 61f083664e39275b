"""Scenarios: studies and their faults by name; the seed chooses when exactly."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from swarm.core.ids import PeerId
from swarm.search.catalog import FILE
from swarm.search.space import INTEGER, Dimension, ModelSpace
from swarm.search.study import StudySpec
from swarm.simulation.faults import Crash, Freeze, OneWayLoss, Partition
from swarm.simulation.history import HistoryEntry
from swarm.simulation.peers import peer_names
from swarm.simulation.scenario import Scenario
from swarm.simulation.search.checkers import TAKEOVER_S, StudyCheckers, StudyLimits
from swarm.simulation.search.faults import COORDINATOR, STANDBY, WORKER, StudyFaults
from swarm.simulation.search.simulator import StudySimulator, data_blob
from swarm.simulation.search.transcript import study_transcript

HEARTBEAT_S = 1.0

Peers = tuple[PeerId, ...]
Plan = Callable[[random.Random, Peers, int], StudyFaults]


@dataclass(frozen=True, slots=True)
class StudyScenario(Scenario[StudySimulator]):
    """A study and what goes wrong in it."""

    study_name: str
    """The study's id depends on it, and so do all its histories."""
    plan: Plan
    num_peers: int = 6
    num_trials: int = 60
    strategy: str = "random"
    slots: int = 1
    epochs: int = 0
    """Epochs that a trial reports; 0 for none."""
    epoch_s: float = 0.8
    brings_data: bool = False
    limits: StudyLimits = field(default_factory=StudyLimits)

    def prepare(
        self, seed: int, num_peers: int | None = None, length: int | None = None
    ) -> StudySimulator:
        """A study of this many trials in which nothing has happened yet."""
        peers, trials = num_peers or self.num_peers, length or self.num_trials
        names = peer_names(peers)
        faults = self.plan(random.Random(seed), names, trials)  # noqa: S311 (reproducible)
        spec = StudySpec(
            name=self.study_name,
            models=(ModelSpace("knn", (Dimension("k", INTEGER, low=1, high=10**6, step=1),)),),
            dataset=FILE if self.brings_data else "iris",
            data=data_blob() if self.brings_data else None,
            data_format="npz" if self.brings_data else "",
            num_trials=trials,
            strategy=self.strategy,
            seed=seed,
            heartbeat_s=HEARTBEAT_S,
            submitter=names[0],
        )
        return StudySimulator(spec, peers, faults, seed, self.slots, self.epochs, self.epoch_s)

    def watch(self, world: StudySimulator) -> StudyCheckers:
        """Check the promises of docs/search.md while the study runs."""
        return StudyCheckers(world, self.limits)

    def transcribe(self, write: Callable[[str], None]) -> Callable[[HistoryEntry], None]:
        """Write down which peer coordinated, which ran what, and what was lost."""
        return study_transcript(write)


def _calm(_chance: random.Random, _peers: Peers, _trials: int) -> StudyFaults:
    return StudyFaults()


def _lossy(chance: random.Random, _peers: Peers, _trials: int) -> StudyFaults:
    return StudyFaults(
        loss_rate=chance.uniform(0.02, 0.2),
        duplicate_rate=0.1,
        delay_s_max=chance.uniform(0.05, 0.5),
    )


def _dies(role: str) -> Plan:
    def plan(chance: random.Random, _peers: Peers, trials: int) -> StudyFaults:
        after = chance.randrange(trials * 3 // 4)
        return StudyFaults(crashes=(Crash(role, after, chance.uniform(0, 1.5)),))

    return plan


def _both_die(chance: random.Random, _peers: Peers, trials: int) -> StudyFaults:
    after, delay_s = chance.randrange(trials // 2), chance.uniform(0, 1)
    return StudyFaults(
        crashes=(
            Crash(STANDBY, after, delay_s),
            Crash(COORDINATOR, after, delay_s + chance.uniform(0, 2)),
        )
    )


def _half_dies(chance: random.Random, peers: Peers, trials: int) -> StudyFaults:
    after, delay_s = chance.randrange(trials // 2), chance.uniform(0, 1)
    victims = chance.sample(peers, len(peers) // 2)
    return StudyFaults(
        crashes=tuple(Crash(peer, after, delay_s + chance.uniform(0, 1)) for peer in victims)
    )


def _dies_in_the_middle(chance: random.Random, _peers: Peers, trials: int) -> StudyFaults:
    """Peers die during long trials; the coordinator and its standby have the checkpoints."""
    after, delay_s = chance.randrange(1, trials // 2), chance.uniform(5, 8)
    roles = chance.choice([(WORKER, WORKER), (COORDINATOR,)])
    return StudyFaults(crashes=tuple(Crash(role, after, delay_s) for role in roles))


def _all_but_one_die(chance: random.Random, peers: Peers, trials: int) -> StudyFaults:
    victims = chance.sample(peers, len(peers) - 1)
    return StudyFaults(
        crashes=tuple(
            Crash(peer, chance.randrange(trials // 2), chance.uniform(0, 2)) for peer in victims
        )
    )


def _restarts(chance: random.Random, _peers: Peers, trials: int) -> StudyFaults:
    roles = (COORDINATOR, WORKER, STANDBY)
    return StudyFaults(
        crashes=tuple(
            Crash(
                chance.choice(roles),
                chance.randrange(trials * 3 // 4),
                chance.uniform(0, 1),
                restart_after_s=chance.uniform(0.5, 10),
            )
            for _ in range(4)
        )
    )


def _mass_restart(chance: random.Random, peers: Peers, trials: int) -> StudyFaults:
    after = chance.randrange(trials // 2)
    pause_s = chance.uniform(0.2, 3)
    crashes = []
    for place, peer in enumerate(chance.sample(peers, len(peers))):
        back_s = 2 + pause_s * place + chance.uniform(0, 1)
        crashes.append(Crash(peer, after, chance.uniform(0, 1), restart_after_s=back_s))
    return StudyFaults(crashes=tuple(crashes))


def _freezes(chance: random.Random, _peers: Peers, trials: int) -> StudyFaults:
    return StudyFaults(
        freezes=tuple(
            Freeze(
                role,
                chance.randrange(trials * 3 // 4),
                chance.uniform(0, 1),
                length_s=chance.uniform(2, 15),
            )
            for role in (COORDINATOR, WORKER)
        )
    )


def _joiners(chance: random.Random, _peers: Peers, _trials: int) -> StudyFaults:
    return StudyFaults(join_at_s=tuple(sorted(chance.uniform(2, 8) for _ in range(3))))


def _cancelled(chance: random.Random, _peers: Peers, trials: int) -> StudyFaults:
    return StudyFaults(cancel_after_results=chance.randrange(1, trials * 3 // 4))


def _hostile(chance: random.Random, peers: Peers, _trials: int) -> StudyFaults:
    return StudyFaults(hostile=chance.choice(peers[1:]))


def _poison_trial(chance: random.Random, _peers: Peers, trials: int) -> StudyFaults:
    return StudyFaults(
        poison_trial=chance.randrange(10, trials * 3 // 4), killed_back_s=chance.uniform(0.5, 10)
    )


def _partition(chance: random.Random, peers: Peers, _trials: int) -> StudyFaults:
    start_s = chance.uniform(2, 8)
    island = frozenset(chance.sample(peers, chance.randint(1, len(peers) // 2)))
    cut = Partition(start_s, start_s + chance.uniform(4, 25), (island,))
    return StudyFaults(partitions=(cut,))


def _one_way(chance: random.Random, peers: Peers, _trials: int) -> StudyFaults:
    sources = frozenset(chance.sample(peers, chance.randint(1, len(peers) // 2)))
    start_s = chance.uniform(2, 8)
    loss = OneWayLoss(
        start_s, start_s + chance.uniform(4, 25), sources, frozenset(peers) - sources
    )
    return StudyFaults(one_way_losses=(loss,))


def _unheard(chance: random.Random, peers: Peers, _trials: int) -> StudyFaults:
    """A worker hears the others, but no peer hears it for a minute."""
    source = frozenset([chance.choice(peers[1:])])
    start_s = chance.uniform(2, 5)
    loss = OneWayLoss(start_s, start_s + 60, source, frozenset(peers) - source)
    return StudyFaults(one_way_losses=(loss,))


def _everything(chance: random.Random, peers: Peers, trials: int) -> StudyFaults:
    loss_rate = chance.uniform(0, 0.1)
    restarts = _restarts(chance, peers, trials).crashes
    freezes = _freezes(chance, peers, trials).freezes
    return StudyFaults(
        loss_rate=loss_rate,
        duplicate_rate=0.05,
        delay_s_max=0.3,
        crashes=(*restarts, Crash(WORKER, chance.randrange(trials), 0.0)),
        freezes=freezes,
        partitions=_partition(chance, peers, trials).partitions,
        join_at_s=(chance.uniform(2, 15), chance.uniform(2, 15)),
    )


def _leases(number: int) -> StudyLimits:
    """At most `number` leases are lost, and a takeover is quick."""
    return StudyLimits(losses_max=number, takeover_s=TAKEOVER_S)


_ANY = StudyLimits(losses_max=None)
_PER_PEER = 4
"""Leases that a peer with one slot and one-second trials holds at once, with one to spare."""

STUDY_SCENARIOS = {
    "study-calm": StudyScenario("nothing goes wrong", _calm),
    "study-slots": StudyScenario("peers run three trials at once", _calm, slots=3, num_trials=120),
    "study-bayesian": StudyScenario(
        "results decide what is tried next",
        _dies(COORDINATOR),
        strategy="bayesian",
        num_trials=40,
        limits=_leases(2 * _PER_PEER),
    ),
    "study-data": StudyScenario("the submitter's data travels", _calm, brings_data=True),
    "study-joiners": StudyScenario("three peers come later", _joiners),
    "study-lossy": StudyScenario("messages are lost, repeated and late", _lossy, limits=_ANY),
    "study-worker-dies": StudyScenario("a worker dies", _dies(WORKER), limits=_leases(_PER_PEER)),
    "study-coordinator-dies": StudyScenario(
        "the coordinator dies", _dies(COORDINATOR), limits=_leases(2 * _PER_PEER)
    ),
    "study-two-die": StudyScenario(
        "the coordinator dies, and who would succeed it", _both_die, limits=_leases(4 * _PER_PEER)
    ),
    "study-half-dies": StudyScenario(
        "half of the peers die at once", _half_dies, limits=_leases(6 * _PER_PEER)
    ),
    "study-last-peer": StudyScenario(
        "all die but one", _all_but_one_die, limits=StudyLimits(losses_max=None)
    ),
    "study-restarts": StudyScenario("peers die and come back", _restarts, limits=_ANY),
    "study-mass-restart": StudyScenario(
        "all die at once and come back one by one", _mass_restart, limits=_ANY
    ),
    "study-freezes": StudyScenario("peers stand still, then go on", _freezes, limits=_ANY),
    "study-partition": StudyScenario("some do not hear the others", _partition, limits=_ANY),
    "study-one-way": StudyScenario("some are heard by nobody", _one_way, limits=_ANY),
    "study-unheard": StudyScenario(
        "a worker is heard by nobody for long",
        _unheard,
        limits=StudyLimits(losses_max=None, closes_within_s=40.0),
    ),
    "study-cancelled": StudyScenario("its user ends it", _cancelled),
    "study-halving": StudyScenario(
        "trials that fall behind are stopped",
        _calm,
        strategy="halving",
        epochs=9,
        epoch_s=0.3,
        limits=StudyLimits(prunes=True),
    ),
    "study-checkpoints": StudyScenario(
        "long trials go on elsewhere from their checkpoints",
        _dies_in_the_middle,
        num_trials=18,
        epochs=12,
        epoch_s=1.0,
        limits=StudyLimits(losses_max=None, resumes=True),
    ),
    "study-poison-trial": StudyScenario(
        "a trial kills whoever runs it", _poison_trial, limits=_ANY
    ),
    "study-hostile": StudyScenario("one peer lies", _hostile),
    "study-everything": StudyScenario("all of it, in moderation", _everything, limits=_ANY),
}
