"""Scenarios: ensembles and what goes wrong in them, by name; the seed chooses when exactly."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from swarm.core.ids import PeerId
from swarm.ensemble.member_settings import MemberSettings, ServingLimits
from swarm.ensemble.spec import EnsembleSpec
from swarm.simulation.ensemble.checkers import EnsembleCheckers
from swarm.simulation.ensemble.faults import (
    ANY,
    DRIFT,
    FIT,
    FIT_ALL,
    LEAVE,
    PROMOTE,
    ROLLBACK,
    ROWS,
    EnsembleFaults,
    UserAction,
)
from swarm.simulation.ensemble.simulator import STRANGERS, EnsembleSimulator
from swarm.simulation.ensemble.transcript import ensemble_transcript
from swarm.simulation.faults import Crash, Freeze, Partition
from swarm.simulation.history import HistoryEntry
from swarm.simulation.peers import peer_names
from swarm.simulation.scenario import Scenario

Peers = tuple[PeerId, ...]
Plan = Callable[[random.Random, Peers], EnsembleFaults]
LENGTH_S = 60.0
"""Seconds in which faults strike and users act."""
SETTINGS = MemberSettings(
    serving=ServingLimits(budget_rows=400, budget_s=60.0, questions_max=6, rows_max=60, at_once=2),
    fit_every_s=3.0,
    refit_every_s=5.0,
    shadow_rows=100,
    shadow_s=6.0,
)
FEW_MAY_ASK = replace(
    SETTINGS,
    serving=replace(SETTINGS.serving, ask_from=(*peer_names(10), STRANGERS[0])),
)


@dataclass(frozen=True, slots=True)
class EnsembleScenario(Scenario[EnsembleSimulator]):
    """An ensemble and what goes wrong in it."""

    ensemble_name: str
    """The ensemble's id depends on it, and so do all its histories."""
    plan: Plan
    num_peers: int = 5
    settings: MemberSettings = SETTINGS
    spec: dict[str, Any] = field(default_factory=dict)
    """Fields of the spec that differ."""

    def prepare(
        self, seed: int, num_peers: int | None = None, length: int | None = None
    ) -> EnsembleSimulator:
        """An ensemble in which nothing has happened yet; `length` has no meaning here."""
        peers = num_peers or self.num_peers
        names = peer_names(peers)
        faults = self.plan(random.Random(seed), names)  # noqa: S311 (reproducible)
        spec = EnsembleSpec(
            name=self.ensemble_name,
            task="regression",
            input_shape=(2,),
            seed=seed,
            founder=names[0],
            **self.spec,
        )
        settings = replace(self.settings, shares_rows=faults.shares_rows)
        return EnsembleSimulator(spec, peers, faults, seed, settings)

    def watch(self, world: EnsembleSimulator) -> EnsembleCheckers:
        """Check the promises of docs/ensembles.md while the ensemble runs."""
        return EnsembleCheckers(world)

    def transcribe(self, write: Callable[[str], None]) -> Callable[[HistoryEntry], None]:
        """Write down which models were fitted, scored and served."""
        return ensemble_transcript(write)


def _actions(chance: random.Random, *kinds: str) -> tuple[UserAction, ...]:
    return tuple(UserAction(chance.uniform(5.0, LENGTH_S), kind) for kind in kinds)


def _calm(_chance: random.Random, _peers: Peers) -> EnsembleFaults:
    return EnsembleFaults(questions_per_s=2.0)


def _fits(chance: random.Random, peers: Peers) -> EnsembleFaults:
    kinds = (FIT_ALL, FIT_ALL, FIT, ROWS, ROWS, DRIFT, PROMOTE, ROLLBACK, ROLLBACK)
    return EnsembleFaults(
        actions=_actions(chance, *kinds), questions_per_s=10.0, slow_answers=chance.choice(peers)
    )


def _lossy(chance: random.Random, _peers: Peers) -> EnsembleFaults:
    return EnsembleFaults(
        loss_rate=chance.uniform(0.02, 0.2),
        duplicate_rate=0.1,
        replay_rate=0.02,
        delay_s_max=chance.uniform(0.05, 0.5),
        actions=_actions(chance, FIT_ALL, FIT_ALL, ROWS),
        questions_per_s=5.0,
    )


def _restarts(chance: random.Random, peers: Peers) -> EnsembleFaults:
    crashes = [
        Crash(
            chance.choice(peers), chance.randrange(8), chance.uniform(0, 20), chance.uniform(1, 20)
        )
        for _ in range(4)
    ]
    return EnsembleFaults(
        crashes=tuple(crashes),
        replay_rate=0.05,
        actions=(
            UserAction(5.0, FIT_ALL, PeerId(crashes[0].role)),
            UserAction(LENGTH_S, FIT_ALL, PeerId(crashes[0].role)),
            *_actions(chance, FIT_ALL, ROWS, PROMOTE, ROLLBACK),
        ),
        questions_per_s=5.0,
    )


def _lost(chance: random.Random, peers: Peers) -> EnsembleFaults:
    """Some members die for good, one leaves; the others keep their models."""
    gone = chance.sample(peers, 2)
    crashes = tuple(Crash(peer, len(peers), chance.uniform(5, 30)) for peer in gone)
    return EnsembleFaults(
        crashes=crashes, actions=_actions(chance, LEAVE, FIT_ALL), questions_per_s=10.0
    )


def _parted(chance: random.Random, peers: Peers) -> EnsembleFaults:
    start_s = chance.uniform(0, 20)
    islands = (frozenset(chance.sample(peers, 2)),)
    return EnsembleFaults(
        partitions=(Partition(start_s, start_s + chance.uniform(5, 40), islands),),
        freezes=(Freeze(ANY, 2, chance.uniform(0, 10), chance.uniform(1, 15)),),
        join_at_s=(chance.uniform(5, 40),),
        actions=_actions(chance, FIT_ALL),
        questions_per_s=3.0,
    )


def _at_home(chance: random.Random, peers: Peers) -> EnsembleFaults:
    return EnsembleFaults(
        at_home=frozenset(chance.sample(peers, 2)),
        shares_rows=chance.random() < 0.7,
        loss_rate=0.05,
        actions=_actions(chance, FIT_ALL),
        questions_per_s=3.0,
    )


def _refused(chance: random.Random, _peers: Peers) -> EnsembleFaults:
    return EnsembleFaults(
        refused_share=0.3,
        fit_failure_rate=0.3,
        actions=_actions(chance, FIT_ALL, FIT_ALL),
        questions_per_s=3.0,
    )


def _busy(chance: random.Random, peers: Peers) -> EnsembleFaults:
    return EnsembleFaults(
        slow_answers=chance.choice(peers),
        actions=_actions(chance, FIT_ALL, LEAVE),
        questions_per_s=60.0,
        duplicate_rate=0.1,
    )


def _everything(chance: random.Random, peers: Peers) -> EnsembleFaults:
    return replace(
        _restarts(chance, peers),
        loss_rate=0.05,
        duplicate_rate=0.05,
        at_home=frozenset(chance.sample(peers, 1)),
        refused_share=0.1,
        fit_failure_rate=0.1,
        freezes=(Freeze(ANY, 3, chance.uniform(0, 10), chance.uniform(1, 15)),),
        join_at_s=(chance.uniform(5, 40),),
        clock_offset_s_max=1000.0,
        clock_rate_error_max=0.001,
        questions_per_s=10.0,
        slow_answers=chance.choice(peers),
    )


_KEPT = {"keep_models": True}
ENSEMBLE_SCENARIOS: dict[str, EnsembleScenario] = {
    "ensemble-calm": EnsembleScenario("nothing goes wrong", _calm),
    "ensemble-fits": EnsembleScenario("users order fits and models", _fits),
    "ensemble-lossy": EnsembleScenario("messages are lost and come twice", _lossy),
    "ensemble-restarts": EnsembleScenario("members die and restart", _restarts),
    "ensemble-lost": EnsembleScenario("copies answer for lost members", _lost, spec=_KEPT),
    "ensemble-parted": EnsembleScenario("the network is cut", _parted),
    "ensemble-at-home": EnsembleScenario("some models stay at home", _at_home),
    "ensemble-refused": EnsembleScenario("models are refused and fits fail", _refused),
    "ensemble-busy": EnsembleScenario(
        "more is asked than can be answered", _busy, settings=FEW_MAY_ASK
    ),
    "ensemble-everything": EnsembleScenario("all of it", _everything, spec=_KEPT),
}
