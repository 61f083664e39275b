"""An ensemble of real processes over real sockets: asked all the time, while members die.

The tests of this module share one swarm, and each leaves it as it found it.
"""

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

import swarm
from swarm.core.errors import SwarmError
from tests.harness.ensemble_processes import EnsembleProcesses, MemberProcess
from tests.harness.house_rows import TARGET, house_rows, write_houses

pytestmark = [pytest.mark.slow, pytest.mark.network]

READY_WITHIN_S = 240.0
"""Three members start nine processes, on two busy cores."""
NUM_MEMBERS = 3
ROWS = [{k: v for k, v in row.items() if k != TARGET} for row in house_rows(20, seed=99)]
PRICES = [float(str(row[TARGET])) for row in house_rows(20, seed=99)]


@dataclass(slots=True)
class Running:
    """The members, and one peer that asks them."""

    processes: EnsembleProcesses
    ensemble: Any

    @property
    def members(self) -> list[MemberProcess]:
        return self.processes.members

    def answers(self) -> set[str]:
        """The versions that answer now, by asking; empty if the quorum is missed."""
        try:
            return {str(one.version) for one in self.ensemble.predict(ROWS).members}
        except SwarmError:
            return set()

    def wait_all_answer(self) -> None:
        """Wait until every member answers with the model that it saved."""
        self.processes.wait(
            lambda: self.answers() == {member.version for member in self.members},
            "all members answer",
            READY_WITHIN_S,
        )


@dataclass(slots=True)
class Load:
    """Questions that follow one another in a thread, and what came of them."""

    predictions: list[Any] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    more: threading.Event = field(default_factory=threading.Event)

    def wait(self, processes: EnsembleProcesses, num_more: int) -> None:
        """Wait until this many more questions are over."""
        target = len(self.predictions) + num_more
        processes.wait(
            lambda: bool(self.errors) or len(self.predictions) >= target,
            f"{num_more} more answers",
            READY_WITHIN_S,
        )


@contextmanager
def under_load(running: Running) -> Iterator[Load]:
    """Ask one question after the other while the block runs; afterwards none must have failed."""
    load, over = Load(), threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                load.predictions.append(running.ensemble.predict(ROWS, detail=True))
            except BaseException as error:
                load.errors.append(error)
                return

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield load
    finally:
        over.set()
        thread.join()
    assert not load.errors
    for prediction in load.predictions:
        peers = [one.peer for one in prediction.members]
        assert len(set(peers)) == len(peers)  # no member counts twice
        assert peers  # the quorum is half of the members present; the simulator checks it
        assert all(math.isfinite(value) for value in prediction.values)


def _has_founded(member: MemberProcess) -> bool:
    return "Others join" in member.said


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("ensemble")
    with EnsembleProcesses(root) as processes:
        for number in range(NUM_MEMBERS):
            data = write_houses(root / f"rows-{number}.csv", 120, seed=number)
            member = processes.start(data, "--learner", "ridge")
            if number == 0:
                processes.wait(partial(_has_founded, member), "founded", READY_WITHIN_S)
        processes.wait(
            lambda: all(member.version for member in processes.members), "fits", READY_WITHIN_S
        )
        with swarm.join_ensemble(processes.address, timeout_s=READY_WITHIN_S) as ensemble:
            one = Running(processes, ensemble)
            one.wait_all_answer()
            yield one


def test_all_members_answer_with_an_interval_around_the_truth(running: Running) -> None:
    def calibrated() -> bool:
        return running.ensemble.predict(ROWS).lower is not None

    running.processes.wait(calibrated, "intervals", READY_WITHIN_S)
    prediction = running.ensemble.predict(ROWS, coverage=0.9, detail=True)

    assert {one.peer for one in prediction.members} == {m.peer for m in running.members}
    assert math.isclose(sum(one.weight for one in prediction.members), 1.0)
    errors = [
        math.log(value / price) for value, price in zip(prediction.values, PRICES, strict=True)
    ]
    assert math.sqrt(sum(error**2 for error in errors) / len(errors)) < 0.2
    inside = [
        low <= price <= high
        for low, price, high in zip(prediction.lower, PRICES, prediction.upper, strict=True)
    ]
    assert sum(inside) >= 14


def test_a_killed_member_costs_no_request_and_comes_back_with_its_model(running: Running) -> None:
    victim = running.members[1]
    version = victim.version

    with under_load(running) as load:
        load.wait(running.processes, 5)
        victim.kill()
        load.wait(running.processes, 10)
        assert any(one.peer == victim.peer for one in load.predictions[-1].missing) or all(
            one.peer != victim.peer for one in load.predictions[-1].members
        )
        victim.restart()
        running.wait_all_answer()

    assert victim.version == version  # it was not fitted again
    assert "Resuming" in victim.said


def test_a_stopped_member_delays_answers_at_most_to_the_deadline(running: Running) -> None:
    slow = running.members[2]
    deadline_s = running.ensemble.spec.deadline_s

    with under_load(running) as load:
        slow.signal(signal.SIGSTOP)
        load.wait(running.processes, 5)
        slow.signal(signal.SIGCONT)
        running.wait_all_answer()

    assert deadline_s == pytest.approx(2.0)


def test_a_founder_that_ends_is_missed_by_nobody(running: Running) -> None:
    founder = running.members[0]

    with under_load(running) as load:
        assert founder.interrupt() == 0
        load.wait(running.processes, 5)
        founder.restart()
        running.wait_all_answer()
