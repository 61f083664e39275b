"""Rehearsal: many seeds of a scenario, in several processes."""

import multiprocessing
import resource
from collections.abc import Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from swarm.simulation.checks import CheckError
from swarm.simulation.ensemble.asker_scenarios import ASKER_SCENARIOS
from swarm.simulation.ensemble.scenarios import ENSEMBLE_SCENARIOS
from swarm.simulation.federation.scenarios import SESSION_SCENARIOS
from swarm.simulation.hosting.scenarios import HOSTING_SCENARIOS
from swarm.simulation.scenario import Scenario
from swarm.simulation.search.scenarios import STUDY_SCENARIOS

SCENARIOS: dict[str, Scenario[Any]] = {
    **SESSION_SCENARIOS,
    **STUDY_SCENARIOS,
    **HOSTING_SCENARIOS,
    **ENSEMBLE_SCENARIOS,
    **ASKER_SCENARIOS,
}
"""The scenarios of all workloads, by name."""

_KIB = 1024


@dataclass(frozen=True, slots=True)
class Task:
    """One seed of a scenario; None stands for the scenario's own numbers."""

    scenario: str
    seed: int
    peers: int | None = None
    rounds: int | None = None
    """Rounds of a session, or trials of a study."""

    @property
    def command(self) -> str:
        """The command that replays this history."""
        size = f" --peers {self.peers}" if self.peers is not None else ""
        length = f" --rounds {self.rounds}" if self.rounds is not None else ""
        return (
            f"python -m swarm.simulation --scenario {self.scenario} --seed {self.seed}"
            f"{size}{length} --trace"
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one seed."""

    task: Task
    failure: str
    """The broken promise; empty if none was broken."""
    rounds: int
    """Rounds or results."""
    virtual_s: float
    num_actions: int
    cpu_s: float
    peak_mib: float
    """Peak memory of the process, so earlier seeds count as well."""
    used: dict[str, int]
    """Greatest share of each bound that was used, in percent."""

    def __str__(self) -> str:
        """Report of a failing seed."""
        return f"{self.failure}\nreplay: {self.task.command}"


def rehearse(task: Task, trace: bool = False) -> Outcome:
    """Run one seed to its end."""
    before_s = _cpu_s()
    scenario = SCENARIOS[task.scenario]
    world = scenario.prepare(task.seed, task.peers, task.rounds)
    if trace:
        world.record = scenario.transcribe(print)
    failure, used = "", {}
    try:
        used = dict(scenario.rehearse(world))
    except CheckError as error:
        failure = f"{error} (at {world.now_s:.3f} s)"
    return Outcome(
        task=task,
        failure=failure,
        rounds=world.progress,
        virtual_s=world.now_s,
        num_actions=world.clock.num_actions,
        cpu_s=_cpu_s() - before_s,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB,
        used=used,
    )


@contextmanager
def processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Start processes to rehearse in; they share nothing with this one."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield pool


def rehearse_all(pool: ProcessPoolExecutor, tasks: list[Task]) -> Generator[Outcome, None, None]:
    """Yield outcomes in the order of the tasks; close the generator to stop early."""
    yield from pool.map(partial(rehearse, trace=False), tasks, chunksize=1)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
