"""Many histories of hosts; a failing seed prints the command that replays it."""

from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from swarm.simulation.hosting.scenarios import HOSTING_SCENARIOS
from swarm.simulation.rehearsal import Task, processes, rehearse, rehearse_all
from tests.harness.history_digest import HistoryDigest

NUM_SEEDS = 20
FAILURES_SHOWN_MAX = 5


@pytest.fixture(scope="module")
def pool() -> Any:
    with processes(jobs=2) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTING_SCENARIOS)
def test_the_promises_hold_after_every_event(name: str, pool: ProcessPoolExecutor) -> None:
    tasks = [Task(name, seed) for seed in range(NUM_SEEDS)]

    failures = [str(outcome) for outcome in rehearse_all(pool, tasks) if outcome.failure]

    shown = "\n".join(failures[:FAILURES_SHOWN_MAX])
    assert not failures, f"{len(failures)} of {NUM_SEEDS} seeds failed\n{shown}"


@pytest.mark.parametrize("name", HOSTING_SCENARIOS)
def test_the_promises_hold_in_one_history_of_each(name: str) -> None:
    outcome = rehearse(Task(name, seed=NUM_SEEDS))

    assert not outcome.failure, str(outcome)


def test_the_same_seed_gives_the_same_history() -> None:
    words = []
    for seed in (7, 7, 8):
        simulator = HOSTING_SCENARIOS["hosting-idle"].prepare(seed)
        simulator.record = digest = HistoryDigest()
        HOSTING_SCENARIOS["hosting-idle"].rehearse(simulator)
        words.append(digest.word)

    assert words[0] == words[1] != words[2]
