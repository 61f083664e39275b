"""A snapshot shows what an observer saw; unchanged parts are the same objects as before."""

from typing import Any

import pytest

from swarm.core.session import SessionSpec
from swarm.peer.observer.snapshot import make_snapshot
from swarm.peer.observer.snapshot_cache import SnapshotCache
from swarm.simulation.faults import Crash
from swarm.simulation.federation.faults import SessionFaults
from swarm.simulation.federation.simulator import SessionSimulator
from tests.harness.simulated_swarm import WatchedSimulation, Watcher


@pytest.fixture(scope="module")
def swarm() -> WatchedSimulation:
    plan = SessionFaults(crashes=(Crash("trainer", 3, 1.0),), sites=("Bern", "Lyon"))
    spec = SessionSpec(rounds=50, cluster_size=4, min_peers=2, deadline_first_s=30.0)
    return WatchedSimulation(SessionSimulator(spec, 12, plan, seed=3))


@pytest.fixture(scope="module")
def early(swarm: WatchedSimulation) -> Watcher:
    return swarm.watch()


def without_cache(swarm: WatchedSimulation, watcher: Watcher) -> dict[str, Any]:
    now_s = swarm.simulator.now_s
    return make_snapshot(
        watcher.seen, len(swarm.simulator.live), now_s, now_s, cache=SnapshotCache()
    )


def test_a_snapshot_with_a_cache_equals_one_without(
    swarm: WatchedSimulation, early: Watcher
) -> None:
    for tenth in range(60, 450, 3):
        swarm.run(tenth / 10)
        assert early.snapshot() == without_cache(swarm, early), f"at {tenth / 10} s"

    seen = early.snapshot()
    assert seen["round"] > 4
    assert [peer["state"] for peer in seen["peers"]].count("lost") == 1
    assert {peer["role"] for peer in seen["peers"]} >= {"root", "aggregator", "trainer"}
    assert seen["links"]
    assert seen["curves"]["global"]
    assert any(alert["kind"] == "lost" for alert in seen["alerts"])


def test_unchanged_parts_are_the_same_objects(early: Watcher) -> None:
    before, after = early.snapshot(), early.snapshot()

    for part in ("peers", "past_peers", "links", "alerts"):
        assert after[part] is before[part], part
    assert after["curves"]["global"] is before["curves"]["global"]


def test_a_late_observer_knows_dead_peers_by_name_and_site(
    swarm: WatchedSimulation, early: Watcher
) -> None:
    (lost,) = (p for p in early.snapshot()["peers"] if p["state"] == "lost")

    late = swarm.watch()
    swarm.run(swarm.simulator.now_s + 30.0)

    seen = late.snapshot()
    assert lost["id"] not in late.seen.registry
    assert seen["past_peers"] == [{key: lost[key] for key in ("id", "name", "site")}]
    assert lost["site"] in ("Bern", "Lyon")
    assert seen["curves"]["peers"][lost["id"]]
    texts = [alert["text"] for alert in seen["alerts"] if alert["kind"] == "lost"]
    assert texts
    assert all(text.startswith(f"{lost['name']} is gone: ") for text in texts)
