"""Scenarios with askers: an ensemble under load, and what goes wrong meanwhile."""

import random
from dataclasses import replace

from swarm.core.ids import PeerId
from swarm.ensemble.member_settings import MemberSettings, ServingLimits
from swarm.simulation.ensemble.asker_work import asker_names
from swarm.simulation.ensemble.faults import FIT, FIT_ALL, ROWS, EnsembleFaults, UserAction
from swarm.simulation.ensemble.scenarios import EnsembleScenario
from swarm.simulation.faults import Crash, Partition

Peers = tuple[PeerId, ...]
BEGIN_S, END_S = 15.0, 45.0
"""Seconds in which faults strike: the askers are at work."""
_ASKED = EnsembleFaults(num_askers=2)
_SETTINGS = MemberSettings(
    serving=ServingLimits(questions_max=64, rows_max=10_000, at_once=4),
    fit_every_s=3.0,
    refit_every_s=5.0,
    shadow_rows=100,
    shadow_s=6.0,
)


def _at(chance: random.Random, *kinds: str) -> tuple[UserAction, ...]:
    return tuple(UserAction(chance.uniform(BEGIN_S, END_S), kind) for kind in kinds)


def _asked(_chance: random.Random, _peers: Peers) -> EnsembleFaults:
    return replace(_ASKED, none_fails=True, all_answer=True)


def _lossy(chance: random.Random, _peers: Peers) -> EnsembleFaults:
    return replace(
        _ASKED,
        loss_rate=chance.uniform(0.02, 0.15),
        duplicate_rate=0.1,
        replay_rate=0.02,
        delay_s_max=chance.uniform(0.05, 0.3),
        actions=_at(chance, FIT_ALL),
    )


def _crashes(chance: random.Random, peers: Peers) -> EnsembleFaults:
    """Two of six members die under load, one of them for good, and an asker dies too."""
    first, second = chance.sample(peers, 2)
    delay_s = chance.uniform(BEGIN_S, END_S)
    crashes = (
        Crash(first, len(peers), delay_s),
        Crash(second, len(peers), delay_s + chance.uniform(0, 2), chance.uniform(1, 20)),
        Crash(asker_names(1)[0], len(peers), chance.uniform(BEGIN_S, END_S), 1.0),
    )
    return replace(_ASKED, crashes=crashes, asks_per_s=8.0, none_fails=True)


def _silent(chance: random.Random, peers: Peers) -> EnsembleFaults:
    """Two members are cut off without a word: their connections stay open for seconds."""
    start_s = chance.uniform(BEGIN_S, END_S)
    cut = frozenset(chance.sample(peers, 2))
    parted = Partition(start_s, start_s + chance.uniform(5, 20), (cut,))
    return replace(_ASKED, partitions=(parted,), asks_per_s=8.0, none_fails=True)


def _slow(chance: random.Random, peers: Peers) -> EnsembleFaults:
    return replace(_ASKED, slow_answers=chance.choice(peers), asks_per_s=10.0, none_fails=True)


def _liar(chance: random.Random, peers: Peers) -> EnsembleFaults:
    return replace(_ASKED, liar=chance.choice(peers), asks_per_s=10.0, none_fails=True)


def _refit(chance: random.Random, _peers: Peers) -> EnsembleFaults:
    actions = _at(chance, FIT_ALL, FIT_ALL, FIT, ROWS, ROWS)
    return replace(_ASKED, actions=actions, asks_per_s=8.0, none_fails=True, all_answer=True)


def _hedged(chance: random.Random, peers: Peers) -> EnsembleFaults:
    """Copies answer for two members that die for good, and for one that is slow."""
    first, second, slow = chance.sample(peers, 3)
    crashes = tuple(
        Crash(peer, len(peers), chance.uniform(BEGIN_S, END_S)) for peer in (first, second)
    )
    return replace(
        _ASKED,
        crashes=crashes,
        slow_answers=slow,
        none_fails=True,
        all_answer=True,
        copies_answer=True,
    )


ASKER_SCENARIOS: dict[str, EnsembleScenario] = {
    "ensemble-asked": EnsembleScenario("askers ask", _asked, 6, _SETTINGS),
    "ensemble-asked-lossy": EnsembleScenario("answers are lost", _lossy, 6, _SETTINGS),
    "ensemble-crashes": EnsembleScenario("members die under load", _crashes, 6, _SETTINGS),
    "ensemble-silent": EnsembleScenario("members are cut off under load", _silent, 6, _SETTINGS),
    "ensemble-slow": EnsembleScenario("one member is slow", _slow, 6, _SETTINGS),
    "ensemble-liar": EnsembleScenario("one member answers nonsense", _liar, 6, _SETTINGS),
    "ensemble-refit": EnsembleScenario("members refit under load", _refit, 6, _SETTINGS),
    "ensemble-hedged": EnsembleScenario(
        "copies answer for slow and lost members",
        _hedged,
        6,
        _SETTINGS,
        {"keep_models": True},
    ),
}
