"""Real processes that run trials: crashes, hangs, cancellation, checkpoints."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio
import trio.testing

from swarm.core.errors import WorkerDiedError
from swarm.learning.estimators.table_source import TableSource
from swarm.learning.search.trial_records import EpochReport, TrialTask
from swarm.learning.search.trial_runner import run_trial
from swarm.peer.processes.trial_frames import (
    FRAMING,
    Message,
    Ready,
    Reported,
    RunTrial,
    StopTrial,
    Withdrawn,
    WithdrawTrial,
)
from swarm.peer.processes.trial_pool import TrialPool, open_trial_pool
from swarm.peer.processes.trial_worker import TrialWorker, open_trial_worker

FAULTY = (sys.executable, str(Path(__file__).parent / "faulty_process.py"))
IRIS = TableSource("iris")
KNN = TrialTask("knn", {"n_neighbors": 3, "p": 1.0}, IRIS, "accuracy")
MLP = TrialTask("mlp", {}, IRIS, "accuracy", epochs=3)
ENDLESS = replace(MLP, data=TableSource("digits"), epochs=512)
"""Takes a minute, so that a test can end it in time."""

LATE = "import os, sys; open(sys.argv[1]).read(); os.execv(sys.argv[2], sys.argv[2:])"
"""Becomes another program once something was written to a named pipe."""


@pytest.fixture
async def worker() -> AsyncIterator[TrialWorker]:
    async with open_trial_worker() as opened:
        yield opened


class HangLog:
    """Cancels a scope when a trial says that it hangs."""

    def __init__(self, scope: trio.CancelScope) -> None:
        self._scope = scope

    def debug(self, event: str, **fields: Any) -> None:
        if fields.get("line") == "I hang":
            self._scope.cancel()

    def warning(self, event: str, **fields: Any) -> None:
        """Ignore it."""


@pytest.fixture
async def faulty() -> AsyncIterator[TrialWorker]:
    async with open_trial_worker(command=FAULTY) as opened:
        yield opened


def _faulty_task(model: str, **params: float) -> TrialTask:
    return TrialTask(model, params, IRIS, "accuracy", epochs=3)


async def _one_behind_another(worker: TrialWorker, *limited: tuple[TrialTask, float]) -> list[Any]:
    """Give trials to a started process, one after the other; return outcomes as they end."""
    outcomes = []

    async def run(task: TrialTask, limit_s: float) -> None:
        outcomes.append(await worker.run(task, limit_s=limit_s))

    await worker.run(KNN)
    async with trio.open_nursery() as nursery:
        for task, limit_s in limited:
            nursery.start_soon(run, task, limit_s)
            await trio.testing.wait_all_tasks_blocked()
    return outcomes


async def _cancel_when_blocked(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


@pytest.mark.parametrize(
    "message",
    [
        RunTrial(1, TrialTask("svm", {"a": 1, "b": 1.0, "c": "x", "d": True}, IRIS, "accuracy")),
        StopTrial(2),
        WithdrawTrial(2),
        Withdrawn(2),
        Ready(),
        Reported(3, EpochReport(1, 0.5, {"accuracy": 0.5})),
    ],
)
def test_a_message_survives_the_pipe_with_the_types_of_its_values(message: Message) -> None:
    (received,) = FRAMING.cut(bytearray(FRAMING.encode(message)))

    assert received == message
    if isinstance(received, RunTrial):
        assert [type(value) for value in received.task.params.values()] == [int, float, str, bool]


@pytest.mark.slow
@pytest.mark.trio
class TestTrialWorker:
    async def test_a_trial_has_the_value_it_has_in_this_process(self, worker: TrialWorker) -> None:
        reports: list[EpochReport] = []

        first = await worker.run(KNN)
        second = await worker.run(MLP, reports.append)

        assert first.value == run_trial(KNN).value
        assert second.value == run_trial(MLP).value
        assert [report.epoch for report in reports] == [1, 2, 3]
        assert worker.statistics().restarts == 0
        assert worker.statistics().trials_done == 2

    async def test_wrong_hyperparameters_are_outcomes(self, worker: TrialWorker) -> None:
        unknown = await worker.run(replace(KNN, params={"k": 3}))
        too_many = await worker.run(replace(KNN, params={"n_neighbors": 500}))

        assert "knn has no hyperparameter 'k'" in (unknown.error or "")
        assert "n_neighbors <= n_samples" in (too_many.error or "")
        assert (await worker.run(KNN)).error is None
        assert worker.statistics().restarts == 0

    @pytest.mark.parametrize(
        ("model", "text", "restarts"),
        [
            ("exits", "ended with code 3; it said: I exit", 1),
            ("segfaults", "ended with code -11", 1),
            ("raises", "MemoryError: too much", 0),
        ],
    )
    async def test_a_crashing_trial_is_an_error_and_the_next_one_runs(
        self, faulty: TrialWorker, model: str, text: str, restarts: int
    ) -> None:
        reports: list[EpochReport] = []

        outcome = await faulty.run(_faulty_task(model, epoch=2), reports.append)

        assert text in (outcome.error or "")
        assert len(reports) == 1
        assert (await faulty.run(KNN)).error is None
        assert faulty.statistics().restarts == restarts

    async def test_what_a_trial_prints_cannot_corrupt_frames(self, faulty: TrialWorker) -> None:
        assert (await faulty.run(_faulty_task("prints"))).error is None

    async def test_a_hanging_trial_is_killed_at_its_limit(self, faulty: TrialWorker) -> None:
        await faulty.run(KNN)
        pid = faulty.statistics().pid
        assert pid is not None

        outcome = await faulty.run(_faulty_task("hangs", epoch=2), limit_s=0.3)

        assert "longer than its limit of 0.3 s" in (outcome.error or "")
        assert outcome.duration_s >= 0.3
        assert (await faulty.run(KNN)).error is None
        assert not psutil.pid_exists(pid)

    async def test_a_stopped_trial_ends_with_the_value_it_had(self, worker: TrialWorker) -> None:
        reports: list[EpochReport] = []

        def on_report(report: EpochReport) -> None:
            reports.append(report)
            if report.epoch == 2:
                worker.stop()

        outcome = await worker.run(ENDLESS, on_report)

        assert outcome.stopped
        assert outcome.epochs >= 2
        assert outcome.value == reports[outcome.epochs - 1].value

    async def test_cancelling_a_trial_ends_it_and_keeps_the_process(
        self, worker: TrialWorker
    ) -> None:
        await worker.run(KNN)
        pid = worker.statistics().pid

        with trio.CancelScope() as scope:
            await worker.run(ENDLESS, lambda report: scope.cancel())

        assert scope.cancelled_caught
        assert (await worker.run(KNN)).error is None
        assert worker.statistics().pid == pid

    async def test_cancelling_a_trial_that_hangs_kills_the_process(self) -> None:
        scope = trio.CancelScope()
        async with open_trial_worker(HangLog(scope), FAULTY) as faulty:
            with scope:
                await faulty.run(_faulty_task("hangs"))

            assert scope.cancelled_caught
            assert (await faulty.run(KNN)).error is None
            assert faulty.statistics().restarts == 1

    async def test_another_process_resumes_the_trial_of_a_killed_one_exactly(
        self, worker: TrialWorker, tmp_path: Path
    ) -> None:
        task = TrialTask(
            "keras-mlp", {}, IRIS, "log_loss", folds=2, epochs=4, checkpoint_dir=str(tmp_path)
        )
        expected = await worker.run(task)
        reports: list[EpochReport] = []

        def kill_after_two(report: EpochReport) -> None:
            reports.append(report)
            pid = worker.statistics().pid
            if report.epoch == 2 and pid is not None:
                os.kill(pid, signal.SIGKILL)

        died = await worker.run(replace(task, epochs=500), kill_after_two)
        checkpoint = reports[1].checkpoint
        assert checkpoint is not None
        resumed = await worker.run(replace(task, resume_path=checkpoint.path))

        assert "ended with code -9" in (died.error or "")
        assert resumed.value == expected.value
        assert resumed.epochs == 4

    async def test_a_process_that_cannot_start_is_no_outcome_of_the_trial(
        self, tmp_path: Path
    ) -> None:
        async with open_trial_worker(command=(*FAULTY, str(tmp_path))) as broken:
            with pytest.raises(WorkerDiedError, match="cannot start"):
                await broken.run(KNN)

    @pytest.mark.parametrize("ending", ["exits", "hangs"])
    async def test_a_trial_that_waits_behind_one_that_ends_the_process_still_runs(
        self, faulty: TrialWorker, ending: str
    ) -> None:
        outcomes = await _one_behind_another(faulty, (_faulty_task(ending), 1.0), (KNN, 60.0))

        assert [outcome is not None and outcome.error is None for outcome in outcomes] == [
            False,
            True,
        ]
        assert faulty.statistics().restarts == 1

    async def test_the_limit_of_a_waiting_trial_counts_from_its_start(
        self, faulty: TrialWorker
    ) -> None:
        sleeps = _faulty_task("sleeps", seconds=2.0)
        outcomes = await _one_behind_another(faulty, (sleeps, 60.0), (KNN, 5.0))

        assert [outcome is not None and outcome.error for outcome in outcomes] == [None, None]

    async def test_cancelling_a_waiting_trial_does_not_disturb_the_one_before_it(
        self, faulty: TrialWorker
    ) -> None:
        await faulty.run(KNN)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(faulty.run, _faulty_task("sleeps", seconds=1.0))
            await trio.testing.wait_all_tasks_blocked()
            with trio.CancelScope() as scope:
                nursery.start_soon(_cancel_when_blocked, scope)
                await faulty.run(KNN)

        assert scope.cancelled_caught
        assert (await faulty.run(KNN)) is not None
        assert faulty.statistics().trials_done == 3
        assert faulty.statistics().restarts == 0
        assert faulty.load == 0

    async def test_nothing_is_left_after_the_block(self) -> None:
        with trio.CancelScope() as scope:
            async with open_trial_worker() as opened:
                await opened.run(KNN)
                pid = opened.statistics().pid
                await opened.run(ENDLESS, lambda report: scope.cancel())

        assert pid is not None
        assert not psutil.pid_exists(pid)


@pytest.mark.slow
@pytest.mark.trio
class TestTrialPool:
    async def test_slots_run_side_by_side_and_trials_are_stopped_by_name(self) -> None:
        running: set[str] = set()
        outcomes = {}

        async with open_trial_pool(2) as pool:

            async def run(key: str) -> None:
                def on_report(report: EpochReport) -> None:
                    running.add(key)
                    if running == {"a", "b"}:  # both run: stop both
                        pool.stop("a")
                        pool.stop("b")

                outcomes[key] = await pool.run(key, ENDLESS, on_report)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(run, "a")
                nursery.start_soon(run, "b")
            third = await pool.run("c", KNN)

        assert all(outcome.stopped for outcome in outcomes.values())
        assert third.error is None

    async def test_an_idle_process_gets_the_trials_that_wait_behind_a_long_one(self) -> None:
        done: list[str] = []

        async with open_trial_pool(2, command=FAULTY) as pool:

            async def run(key: str, task: TrialTask) -> None:
                await pool.run(key, task)
                done.append(key)
                if len(done) == 3:
                    nursery.cancel_scope.cancel()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(run, "endless", _faulty_task("hangs"))
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(run, "short", _faulty_task("sleeps", seconds=1.0))
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(run, "behind", KNN)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(run, "also", KNN)

        assert sorted(done) == ["also", "behind", "short"]

    async def test_an_idle_process_gets_the_trials_that_wait_for_one_that_still_loads(
        self, tmp_path: Path
    ) -> None:
        os.mkfifo(gate := tmp_path / "gate")
        late = (sys.executable, "-c", LATE, str(gate), *FAULTY)
        done: list[str] = []

        async with open_trial_worker(command=late) as slow, open_trial_worker() as quick:
            pool = TrialPool([quick, slow])  # of equals, the last one gets the trial

            async def run(key: str, task: TrialTask) -> None:
                await pool.run(key, task)
                done.append(key)
                if len(done) == 3:
                    nursery.cancel_scope.cancel()

            async with trio.open_nursery() as nursery:
                for key in ("endless", "short", "behind", "also"):
                    task = _faulty_task("hangs") if key == "endless" else KNN
                    nursery.start_soon(run, key, task)
                    await trio.testing.wait_all_tasks_blocked()
            assert not slow.statistics().trials_done
            gate.write_text("go")

        assert sorted(done) == ["also", "behind", "short"]

    async def test_the_same_trial_may_run_twice_at_once(self) -> None:
        outcomes = []

        async with open_trial_pool(2) as pool:

            async def run() -> None:
                outcomes.append(await pool.run("a", KNN))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                nursery.start_soon(run)

        assert [outcome.error for outcome in outcomes] == [None, None]

    async def test_a_pool_has_at_least_one_slot(self) -> None:
        with pytest.raises(ValueError, match="at least 1, got 0"):
            async with open_trial_pool(0):
                pass


@pytest.mark.slow
def test_the_process_ends_when_the_peer_is_gone() -> None:
    script = (
        "import trio\n"
        "from swarm.learning.search.trial_records import TrialTask\n"
        "from swarm.learning.estimators.table_source import TableSource\n"
        "from swarm.peer.processes.trial_worker import open_trial_worker\n"
        "async def main():\n"
        "    task = TrialTask('mlp', {}, TableSource('digits'), 'accuracy', epochs=512)\n"
        "    async with open_trial_worker() as worker:\n"
        "        show = lambda report: print(worker.statistics().pid, flush=True)\n"
        "        await worker.run(task, show)\n"
        "trio.run(main)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as peer:
        assert peer.stdout is not None
        try:
            process = psutil.Process(int(peer.stdout.readline()))
        finally:
            peer.kill()

        process.wait(timeout=60)


@pytest.mark.slow
def test_the_network_process_imports_neither_keras_nor_scikit_learn() -> None:
    script = (
        "import sys, swarm.peer.search.commands\n"
        "heavy = {'sklearn', 'keras', 'tensorflow', 'scipy', 'optuna', 'matplotlib'}\n"
        "assert not heavy & sys.modules.keys()\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True)
