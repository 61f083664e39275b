"""An observer sees a whole run, even if it comes late, and its snapshots are plain JSON."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from swarm.peer.observer.observer import Observer
from tests.harness.swarm_processes import SwarmProcesses

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
        if condition == "searched" and any(study["finished"] for study in seen["studies"]):
            return seen
    raise TimeoutError(f"{condition} not within {timeout_s} s: {observer.snapshot()}")


def start_study(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A peer that searches joins a swarm of peers that train."""
    study = {"name": "beside", "dataset": "iris", "models": {"knn": {"n_neighbors": [1, 3, 5]}}}
    path = folder / "study.json"
    path.write_text(json.dumps({**study, "strategy": "grid"}))
    command = [sys.executable, "-m", "swarm.search", "run", str(path)]
    command += ["--bootstrap", f"127.0.0.1:{port}", "--state", str(folder / "state")]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def test_an_observer_sees_all_training_peers_and_a_late_one_sees_all_rounds(
    tmp_path: Path,
) -> None:
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
        run = start_study(tmp_path, swarm.ports[2])
        seen_both = wait_until(late, "searched", 120)
        assert run.wait(30) == 0
        late.stop()

    json.dumps(seen)
    assert seen["finished"]
    assert [peer["name"] for peer in seen["peers"]] == [f"peer-{k}" for k in (1, 2, 3, 4)]
    assert sorted(peer["role"] for peer in seen["peers"]).count("root") == 1
    assert [c["tier"] for c in seen["clusters"]] == [1, 1, 2]
    assert [p["round"] for p in seen["curves"]["global"]] == [0, 1, 2, 3, 4, 5]
    assert seen_late["curves"]["global"] == seen["curves"]["global"]
    assert seen_late["head"] == seen["head"]
    assert seen_both["session"] == seen["session"]
    assert [study["num_done"] for study in seen_both["studies"]] == [3]
