"""The promises of each scenario, of all workloads, after every event of many histories."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from swarm.simulation.ensemble.scenarios import ENSEMBLE_SCENARIOS
from swarm.simulation.federation.scenarios import SESSION_SCENARIOS
from swarm.simulation.rehearsal import SCENARIOS, Task, processes, rehearse, rehearse_all

NUM_SEEDS = 20
NUM_SESSION_SEEDS = 50
NUM_ENSEMBLE_SEEDS = 10
"""Fewer: askers ask all the time, so a history takes half a second."""
FAILURES_SHOWN_MAX = 5


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with processes(jobs=2) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_promises_hold_after_every_event(name: str, pool: ProcessPoolExecutor) -> None:
    num_seeds = NUM_SESSION_SEEDS if name in SESSION_SCENARIOS else NUM_SEEDS
    if name in ENSEMBLE_SCENARIOS:
        num_seeds = NUM_ENSEMBLE_SEEDS
    tasks = [Task(name, seed) for seed in range(num_seeds)]

    failures = [str(outcome) for outcome in rehearse_all(pool, tasks) if outcome.failure]

    shown = "\n".join(failures[:FAILURES_SHOWN_MAX])
    assert not failures, f"{len(failures)} of {num_seeds} seeds failed\n{shown}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_promises_hold_in_one_history_of_each(name: str) -> None:
    outcome = rehearse(Task(name, seed=NUM_SESSION_SEEDS))

    assert not outcome.failure, str(outcome)
