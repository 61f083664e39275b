"""Rehearsals: many seeds of a scenario, in as many processes as asked for."""

import multiprocessing
import resource
from collections.abc import Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from swarm.simulation.federation.checkers import CheckError
from swarm.simulation.federation.scenarios import SCENARIOS
from swarm.simulation.federation.simulator import Simulator
from swarm.simulation.federation.transcript import Transcript
from swarm.simulation.search.scenarios import STUDY_SCENARIOS
from swarm.simulation.search.simulator import StudySimulator
from swarm.simulation.search.transcript import tell_study

_KIB = 1024


@dataclass(frozen=True, slots=True)
class Task:
    """One seed of a scenario; `peers` and `rounds` are the scenario's own if None."""

    scenario: str
    seed: int
    peers: int | None = None
    rounds: int | None = None

    @property
    def command(self) -> str:
        """The one command that replays it."""
        size = f" --peers {self.peers}" if self.peers is not None else ""
        length = f" --rounds {self.rounds}" if self.rounds is not None else ""
        return (
            f"python -m swarm.simulation --scenario {self.scenario} --seed {self.seed}"
            f"{size}{length} --trace"
        )

    def prepare(self) -> Simulator:
        """The simulator, nothing delivered yet."""
        return SCENARIOS[self.scenario].prepare(self.seed, self.peers, self.rounds)

    def prepare_study(self) -> StudySimulator:
        """The same, of a study; `rounds` are its trials."""
        return STUDY_SCENARIOS[self.scenario].prepare(self.seed, self.peers, self.rounds)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed."""

    task: Task
    failure: str
    """The broken promise, or nothing."""
    rounds: int
    virtual_s: float
    num_actions: int
    cpu_s: float
    peak_mib: float
    """Most memory the process ever had, so it counts earlier seeds as well."""
    used: dict[str, int]
    """Greatest share of each bound on traffic, in percent."""

    def __str__(self) -> str:
        """How a failing seed is reported."""
        return f"{self.failure}\nreplay: {self.task.command}"


def rehearse(task: Task, trace: bool = False) -> Outcome:
    """Run one seed to its end."""
    before_s = _cpu_s()
    run = _rehearse_study if task.scenario in STUDY_SCENARIOS else _rehearse_session
    simulator, failure, rounds, used = run(task, trace)
    return Outcome(
        task=task,
        failure=failure,
        rounds=rounds,
        virtual_s=simulator.now_s,
        num_actions=simulator.clock.num_actions,
        cpu_s=_cpu_s() - before_s,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB,
        used=used,
    )


Run = tuple[Simulator | StudySimulator, str, int, dict[str, int]]


def _rehearse_session(task: Task, trace: bool) -> Run:
    simulator = task.prepare()
    if trace:
        simulator.record = Transcript(print)
    failure, used = "", {}
    try:
        used = dict(SCENARIOS[task.scenario].rehearse(simulator).used)
    except CheckError as error:
        failure = f"{error} (at {simulator.now_s:.3f} s)"
    head = simulator.census.greatest
    return simulator, failure, head.round if head is not None else 0, used


def _rehearse_study(task: Task, trace: bool) -> Run:
    simulator = task.prepare_study()
    if trace:
        simulator.record = tell_study(print)
    failure = ""
    try:
        STUDY_SCENARIOS[task.scenario].rehearse(simulator)
    except CheckError as error:
        failure = f"{error} (at {simulator.now_s:.3f} s)"
    return simulator, failure, simulator.num_results, {}


@contextmanager
def processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes to rehearse in; they share nothing with this one."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield pool


def rehearse_all(pool: ProcessPoolExecutor, tasks: list[Task]) -> Generator[Outcome, None, None]:
    """Outcomes in the order of the tasks; close it to begin no more of them."""
    yield from pool.map(partial(rehearse, trace=False), tasks, chunksize=1)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
