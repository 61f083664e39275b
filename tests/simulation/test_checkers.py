"""Machines broken on purpose: the checkers must notice."""

from typing import Any

import pytest

from swarm.core.session import SessionSpec
from swarm.federation import federation, records
from swarm.federation import round as round_module
from swarm.federation.duty import Duty
from swarm.federation.effects import Started
from swarm.federation.federation import Federation
from swarm.federation.lineage import Lineage
from swarm.federation.messages import GlobalModel
from swarm.federation.presence import Presence
from swarm.federation.records import Gathered
from swarm.simulation.checkers import CheckError, Checkers
from swarm.simulation.faults import Crash, FaultPlan
from swarm.simulation.scenarios import SCENARIOS
from swarm.simulation.simulator import Simulator

Patch = pytest.MonkeyPatch


def caught(name: str, num_seeds: int = 12) -> str:
    """What the first failing seed of a scenario says."""
    for seed in range(num_seeds):
        simulator = SCENARIOS[name].prepare(seed)
        try:
            SCENARIOS[name].rehearse(simulator)
        except CheckError as error:
            return str(error)
    return ""


def test_a_peer_that_adopts_lower_heads_is_caught(monkeypatch: Patch) -> None:
    def forget(self: Lineage, head: GlobalModel) -> None:
        self.held = head
        self._greater = [h for h in self._known.values() if h is not head]

    monkeypatch.setattr(Lineage, "adopt", forget)

    assert "went down the head order" in caught("calm", 1)


def test_an_aggregator_that_counts_a_contribution_twice_is_caught(monkeypatch: Patch) -> None:
    original = Duty._combine

    def twice(self: Duty, base: GlobalModel) -> Any:
        if not self.cluster.children:
            first = next(iter(self.inputs.values()))
            self.inputs = {**self.inputs, "again": first}
        return original(self, base)

    monkeypatch.setattr(Duty, "_combine", twice)

    with pytest.raises(ValueError, match="contributors must be distinct"):
        caught("calm", 1)


def test_an_aggregator_that_names_who_it_did_not_combine_is_caught(monkeypatch: Patch) -> None:
    original = records.gather

    def forgetful(*args: Any) -> Gathered:
        gathered = original(*args)
        if len(gathered.contributors) < 3:
            return gathered
        return Gathered(gathered.contributors[1:], (), gathered.joiners)

    monkeypatch.setattr(round_module, "gather", forgetful)

    assert "is not the mean of its contributions" in caught("calm", 1)


def test_a_machine_that_forgets_its_stored_contribution_is_caught(monkeypatch: Patch) -> None:
    original = Federation._on_started

    def forgetful(self: Federation, event: Any, now_s: float) -> Any:
        return original(self, type(event)(event.heads, None, event.offered_by), now_s)

    monkeypatch.setitem(federation._HANDLERS, Started, forgetful)

    # It is back before the slow peer is done, so the round is still open.
    plan = FaultPlan(slow_factor=5.0, crashes=(Crash("peer-01", 1, 6.0, restart_after_s=0.5),))
    simulator = Simulator(SessionSpec(rounds=3), 6, plan, seed=1)
    checkers = Checkers(simulator)
    simulator.run(200.0, checkers.check)

    with pytest.raises(CheckError, match="peer-01 announced 2 results"):
        checkers.check_end()


def test_a_swarm_that_waits_for_the_dead_is_caught(monkeypatch: Patch) -> None:
    def closes_late(_: Duty, settled: Any, members: Any, *__: Any) -> bool:
        return len(settled) == len(members)

    monkeypatch.setattr(Presence, "lost", lambda *_: False)
    monkeypatch.setattr(Duty, "_closes", closes_late)

    assert "takes 120 s" in caught("trainer-dies", 3)


def test_a_swarm_that_never_repeats_is_caught(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Federation, "_beacon", lambda _: [])
    monkeypatch.setattr(Federation, "_beats", lambda _: [])

    assert caught("lossy")


def test_a_storm_of_messages_is_caught(monkeypatch: Patch) -> None:
    original = Federation._beats
    monkeypatch.setattr(Federation, "_beats", lambda self: original(self) * 20)

    assert "in one round" in caught("calm", 1)
