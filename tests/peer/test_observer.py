"""An observer sees a whole run, also when it comes late, and what it shows is plain JSON."""

import json
import time

import pytest

from benchmarks.swarm_processes import SwarmProcesses
from swarm.peer.observer import Observer

pytestmark = [pytest.mark.slow, pytest.mark.network]


def wait_until(observer: Observer, condition: str, timeout_s: float) -> dict[str, object]:
    deadline_s = time.monotonic() + timeout_s
    version = -1
    while time.monotonic() < deadline_s:
        version = observer.wait_change(version, 1.0)
        seen = observer.snapshot()
        if condition == "finished" and seen["global"]["round"] == 5:
            return seen
        if condition == "training" and seen["round"] >= 1:
            return seen
    raise TimeoutError(f"{condition} not within {timeout_s} s: {observer.snapshot()}")


def test_an_observer_sees_who_trains_and_a_late_one_sees_all_rounds() -> None:
    session = ["--dataset", "digits", "--model", "mlp", "--rounds", "5", "--min-peers", "4"]

    with SwarmProcesses(4, session) as swarm:
        early = Observer([f"127.0.0.1:{swarm.ports[0]}"])
        early.start()
        wait_until(early, "training", 180)
        seen = wait_until(early, "finished", 90)
        early.stop()
        late = Observer([f"127.0.0.1:{swarm.ports[1]}"])
        late.start()
        seen_late = wait_until(late, "finished", 60)
        late.stop()

    json.dumps(seen)
    assert seen["finished"]
    assert [peer["name"] for peer in seen["peers"]] == [f"peer-{k}" for k in (1, 2, 3, 4)]
    assert sorted(peer["role"] for peer in seen["peers"]).count("root") == 1
    assert [c["tier"] for c in seen["clusters"]] == [1, 1, 2]
    assert [p["round"] for p in seen["curves"]["global"]] == [0, 1, 2, 3, 4, 5]
    assert seen_late["curves"]["global"] == seen["curves"]["global"]
    assert seen_late["head"] == seen["head"]
