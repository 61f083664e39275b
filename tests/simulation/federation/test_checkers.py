"""Machines broken on purpose: the checkers must notice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from swarm.core.effects import FetchBlob, Publish
from swarm.core.machine import Effect, Event, TimerFired
from swarm.core.session import SessionSpec
from swarm.federation import duty, validity
from swarm.federation.effects import Combine, Started
from swarm.federation.federation import Federation
from swarm.federation.lineage import Lineage
from swarm.federation.records import GlobalModel
from swarm.simulation.checks import CheckError
from swarm.simulation.faults import Crash
from swarm.simulation.federation.checkers import SessionCheckers
from swarm.simulation.federation.faults import SessionFaults
from swarm.simulation.federation.scenarios import SESSION_SCENARIOS
from swarm.simulation.federation.simulator import SessionSimulator

Patch = pytest.MonkeyPatch


def caught(name: str, num_seeds: int = 12) -> str:
    """The promise that the first failing seed breaks; empty if none does."""
    for seed in range(num_seeds):
        try:
            SESSION_SCENARIOS[name].rehearse(SESSION_SCENARIOS[name].prepare(seed))
        except CheckError as error:
            return str(error)
    return ""


def twist(patch: Patch, change: Callable[[Federation, Event, Effect], list[Effect]]) -> None:
    """Change the effects of every machine."""
    original = Federation.handle

    def handle(self: Federation, event: Event, now_s: float) -> list[Effect]:
        effects = original(self, event, now_s)
        return [twisted for effect in effects for twisted in change(self, event, effect)]

    patch.setattr(Federation, "handle", handle)


def twist_combine(patch: Patch, change: Callable[[Combine], Combine]) -> None:
    """Change what every machine combines."""
    twist(patch, lambda _, __, effect: [change(effect) if isinstance(effect, Combine) else effect])


def test_a_peer_that_adopts_lower_heads_is_caught(monkeypatch: Patch) -> None:
    def forget(self: Lineage, head: GlobalModel) -> None:
        self.held = head
        self._greater = [h for h in self._known.values() if h is not head]

    monkeypatch.setattr(Lineage, "adopt", forget)

    assert "went down the head order" in caught("calm", 1)


def test_an_aggregator_that_names_a_peer_it_did_not_combine_is_caught(monkeypatch: Patch) -> None:
    twist_combine(
        monkeypatch,
        lambda job: replace(job, inputs=job.inputs[1:] if job.inputs[1:] else job.inputs),
    )

    assert "without its work" in caught("calm", 1)


def test_an_aggregator_that_weighs_wrongly_is_caught(monkeypatch: Patch) -> None:
    twist_combine(
        monkeypatch,
        lambda job: replace(job, inputs=tuple(replace(item, weight=1.0) for item in job.inputs)),
    )

    assert "is not the mean of what it names" in caught("calm", 1)


def test_an_aggregator_that_ignores_the_base_of_a_stale_update_is_caught(
    monkeypatch: Patch,
) -> None:
    twist_combine(
        monkeypatch,
        lambda job: replace(job, inputs=tuple(replace(i, stale_base=None) for i in job.inputs)),
    )

    assert "is not the mean of what it names" in caught("restart")


def test_a_root_that_merges_too_much_is_caught(monkeypatch: Patch) -> None:
    def more(job: Combine) -> Combine:
        return replace(job, merge=replace(job.merge, share=1.0) if job.merge else None)

    twist_combine(monkeypatch, more)

    assert "is not the mean of what it names" in caught("partition-heals")


def test_a_swarm_that_never_merges_is_caught(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Federation, "_mergeable", lambda *_: None, raising=False)
    twist_combine(monkeypatch, lambda job: replace(job, merge=None))

    assert caught("partition-heals")


def test_a_machine_that_forgets_its_stored_contribution_is_caught(monkeypatch: Patch) -> None:
    original = Federation.handle

    def handle(self: Federation, event: Any, now_s: float) -> list[Effect]:
        forgotten = replace(event, contribution=None) if isinstance(event, Started) else event
        return original(self, forgotten, now_s)

    monkeypatch.setattr(Federation, "handle", handle)

    # It restarts before the slow peer is done, so the round is still open.
    plan = SessionFaults(slow_factor=5.0, crashes=(Crash("peer-01", 0, 6.0, restart_after_s=0.5),))
    simulator = SessionSimulator(SessionSpec(rounds=3), 6, plan, seed=1)
    checkers = SessionCheckers(simulator)
    simulator.run(200.0)

    with pytest.raises(CheckError, match="peer-01 announced 2 results"):
        checkers.check_end()


def test_a_swarm_that_stops_is_caught(monkeypatch: Patch) -> None:
    def stop(machine: Federation, _: Event, effect: Effect) -> list[Effect]:
        late = machine.held is not None and machine.held.round >= 2
        return [] if late and isinstance(effect, Combine) else [effect]

    twist(monkeypatch, stop)

    assert "round 3 takes 12" in caught("calm", 1)


def test_a_swarm_that_never_repeats_is_caught(monkeypatch: Patch) -> None:
    def silence(_: Federation, event: Event, effect: Effect) -> list[Effect]:
        return [] if isinstance(event, TimerFired) and isinstance(effect, Publish) else [effect]

    twist(monkeypatch, silence)

    assert caught("lossy")


def test_a_peer_that_does_not_follow_is_caught(monkeypatch: Patch) -> None:
    def stay(machine: Federation, _: Event, effect: Effect) -> list[Effect]:
        stays = machine.me == "peer-03" and machine.held is not None and machine.held.round >= 2
        return [] if stays and isinstance(effect, FetchBlob) else [effect]

    twist(monkeypatch, stay)

    assert "different heads" in caught("calm", 1)


def test_a_storm_of_messages_is_caught(monkeypatch: Patch) -> None:
    twist(monkeypatch, lambda _, __, e: [e] * (20 if isinstance(e, Publish) else 1))

    assert ", sent: " in caught("calm", 1)


def test_a_machine_that_raises_is_caught(monkeypatch: Patch) -> None:
    def explode(machine: Federation, _: Event, effect: Effect) -> list[Effect]:
        if machine.held is not None and machine.held.round == 2:
            raise KeyError("peer-99")
        return [effect]

    twist(monkeypatch, explode)

    assert caught("calm", 1).startswith("a machine raised KeyError('peer-99')")


def test_a_small_part_that_goes_on_against_the_policy_is_caught(monkeypatch: Patch) -> None:
    monkeypatch.setattr(duty, "is_majority", lambda *_: True)
    monkeypatch.setattr(validity, "_check_majority", lambda *_: None)

    assert "composed head" in caught("partition-majority")
