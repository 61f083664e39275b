"""Histories of ensembles: they replay, show what they are for, and broken machines are caught."""

import pytest

from swarm.ensemble.budgets import Budgets
from swarm.ensemble.member_models import MemberModels
from swarm.ensemble.serving import Serving
from swarm.simulation.checks import CheckError
from swarm.simulation.ensemble.scenarios import ENSEMBLE_SCENARIOS
from tests.harness.history_digest import HistoryDigest


def test_the_same_seed_gives_the_same_history() -> None:
    words = []
    for seed in (7, 7, 8):
        simulator = ENSEMBLE_SCENARIOS["ensemble-everything"].prepare(seed, num_peers=3)
        simulator.record = digest = HistoryDigest()
        ENSEMBLE_SCENARIOS["ensemble-everything"].rehearse(simulator)
        words.append(digest.word)

    assert words[0] == words[1] != words[2]


def test_questions_end_in_all_ways() -> None:
    scenario = ENSEMBLE_SCENARIOS["ensemble-busy"]
    world = scenario.prepare(seed=0)
    checkers = scenario.watch(world)

    world.run(200.0)

    assert checkers.members.outcomes.keys() >= {"answered", "busy", "budget", "not-allowed"}


def test_challengers_take_over_and_fall_behind() -> None:
    num_over = num_behind = 0
    for seed in range(3):
        scenario = ENSEMBLE_SCENARIOS["ensemble-fits"]
        world = scenario.prepare(seed)
        scenario.rehearse(world)
        models = [peer.machine.models for peer in world.members]
        num_over += sum(each.previous is not None for each in models)
        num_behind += sum(each.challenger is not None for each in models)

    assert num_over > 0
    assert num_behind > 0


# -- machines broken on purpose: the checkers must notice


def caught(name: str, num_seeds: int = 8) -> str:
    """The promise that the first failing seed breaks; empty if none does."""
    for seed in range(num_seeds):
        try:
            ENSEMBLE_SCENARIOS[name].rehearse(ENSEMBLE_SCENARIOS[name].prepare(seed))
        except CheckError as error:
            return str(error)
    return ""


def test_a_challenger_that_takes_over_at_once_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemberModels, "_shadow_is_over", lambda self, now_s: True)

    assert "before its time" in caught("ensemble-fits")


def test_a_budget_that_is_not_kept_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budgets, "spend", lambda *_: True)

    assert "rows of stranger" in caught("ensemble-busy")


def test_a_queue_without_end_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Serving, "_what_waits", lambda *_: "")

    assert "questions wait" in caught("ensemble-busy")
