"""An observer sees a study of real processes from its first trial to its last, or afterwards."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from swarm.peer.observer.observer import Observer
from tests.harness.search_processes import SearchProcess, SearchProcesses

pytestmark = [pytest.mark.slow, pytest.mark.network]

SOON_S = 120.0
NUM_TRIALS = 30
STUDY: dict[str, Any] = {
    "name": "watched",
    "dataset": "iris",
    "num_trials": NUM_TRIALS,
    "seed": 5,
    "models": {"forest": {"n_estimators": {"integer": [40, 80]}, "max_depth": [2, 4, 6]}},
}


@contextmanager
def observer(address: str) -> Iterator[Observer]:
    watching = Observer([address])
    watching.start()
    try:
        yield watching
    finally:
        watching.stop()


def address_of(peer: SearchProcess) -> str:
    return next(str(e["address"]) for e in peer.events() if e["event"] == "listening")


def best(address: str) -> Any:
    command = [sys.executable, "-m", "swarm.search", "best", "watched"]
    command += ["--bootstrap", address, "--timeout", str(SOON_S)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SOON_S)
    return json.loads(done.stdout)


def studies(watching: Observer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = watching.snapshot()["studies"]
    return found


def is_over(watching: Observer) -> bool:
    return any(study["finished"] and study["complete"] for study in studies(watching))


def test_an_observer_without_a_session_sees_a_study_grow_and_a_late_one_its_end(
    tmp_path: Path,
) -> None:
    counts: list[int] = []

    def count(watching: Observer) -> bool:
        counts.extend(study["num_done"] for study in studies(watching))
        return is_over(watching)

    with SearchProcesses(tmp_path) as swarm, observer(swarm.address) as early:
        run = swarm.start("run", str(swarm.write_study(STUDY)), slots=0)
        swarm.wait(lambda: bool(studies(early)), "the study is seen", SOON_S)
        assert studies(early)[0]["num_done"] == 0
        worker, _ = swarm.start("worker"), swarm.start("worker")
        swarm.wait(lambda: count(early), "the study is over", SOON_S)
        assert run.process.wait(SOON_S) == 0
        with observer(address_of(worker)) as late:
            swarm.wait(lambda: is_over(late), "its end is seen", SOON_S)
            (seen_late,) = studies(late)
        found = best(address_of(worker))
        (seen,) = studies(early)
        session = early.snapshot()["session"]

    json.dumps(seen)
    assert session is None
    assert counts == sorted(counts)
    assert any(0 < number < NUM_TRIALS for number in counts)
    assert (seen["num_trials"], seen["num_done"]) == (NUM_TRIALS, NUM_TRIALS)
    assert (seen["num_running"], seen["num_failed"]) == (0, 0)
    assert seen["best"] == {
        "number": found["trial"],
        "value": found["value"],
        "model": found["model"],
        "params": found["params"],
    }
    assert [trial["number"] for trial in seen["history"]] == list(range(NUM_TRIALS))
    assert sum(worker["num_done"] for worker in seen["workers"]) == NUM_TRIALS
    assert (seen_late["best"], seen_late["history"]) == (seen["best"], seen["history"])
