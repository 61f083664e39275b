"""Real learner processes behind `LearnerWorker`, and their frames."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio

from swarm.core.blobs import BlobRef
from swarm.core.errors import (
    ConfigurationError,
    LearningError,
    LocalProtocolError,
    WorkerDiedError,
)
from swarm.core.ids import Digest
from swarm.core.session import SessionSpec
from swarm.learning.data_config import DataConfig
from swarm.learning.errors import TrainingCancelledError
from swarm.learning.federation import jobs
from swarm.learning.progress import Progress
from swarm.peer.processes.framing import FRAME_SIZE_MAX
from swarm.peer.processes.learner_frames import (
    FRAMING,
    CancelTraining,
    Done,
    Failed,
    Message,
    Progressed,
    Request,
)
from swarm.peer.processes.learner_worker import LearnerWorker, open_worker

SPEC = SessionSpec(model="mlp", dataset="digits", input_shape=(8, 8, 1), learning_rate=0.1)
LONG = replace(SPEC, local_epochs=100_000)
"""A training that ends only when it is cancelled."""

OWN_MODELS = """
import os
import sys
import keras

def prints(input_shape, num_classes):
    print("to stdout, by Python", flush=True)
    os.write(1, b"to stdout, by a library")
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(),
                             keras.layers.Dense(num_classes)])

def asks(input_shape, num_classes):
    input("continue? ")

def leaves(input_shape, num_classes):
    sys.exit(3)
"""


class DeathLog:
    """Remembers the reason of the last warning."""

    def __init__(self) -> None:
        self.warned = trio.Event()
        self.reason = ""

    def debug(self, event: str, **fields: Any) -> None:
        """Ignore it."""

    def warning(self, event: str, **fields: Any) -> None:
        self.reason = fields["reason"]
        self.warned.set()


class TestFrames:
    @pytest.mark.parametrize(
        "message",
        [
            Request(1, jobs.Initialise(SPEC, DataConfig(dataset="digits"))),
            Request(2, jobs.Combine("b", (jobs.CombineInput("a", "p", 3),), "o")),
            CancelTraining(2),
            Progressed(3, Progress("training", 0.5, 0.25, None, "x")),
            Done(4, jobs.Combined("p", BlobRef(Digest("0" * 64), 1), ())),
            Failed(5, "DataError", "no"),
        ],
    )
    def test_a_message_survives_the_pipe_in_any_pieces(self, message: Message) -> None:
        frame = FRAMING.encode(message)
        buffer = bytearray()
        received = []

        for byte in frame + frame:
            buffer.append(byte)
            received += FRAMING.cut(buffer)

        assert received == [message, message]
        assert FRAMING.read(io.BytesIO(frame)) == message
        assert FRAMING.read(io.BytesIO(frame[:-1])) is None

    @pytest.mark.parametrize(
        "data",
        [
            (FRAME_SIZE_MAX + 1).to_bytes(4, "big"),
            b"\0\0\0\1\xc1",
            b"\0\0\0\1\x80",
            b"\0\0\0\x0e\x81\xa4kind\xa7Request",
            b"\0\0\0\x0b\x81\xa4kind\xa4what",
        ],
    )
    def test_bytes_that_are_not_a_message_are_our_own_bug(self, data: bytes) -> None:
        with pytest.raises(LocalProtocolError):
            FRAMING.cut(bytearray(data))

    def test_a_message_that_is_too_long_is_never_sent(self) -> None:
        with pytest.raises(LocalProtocolError):
            FRAMING.encode(Failed(1, "LearningError", "x" * FRAME_SIZE_MAX))


@pytest.fixture(params=["own", "forked"])
def fork_server(request: pytest.FixtureRequest) -> Path | None:
    """Run each test with a process of its own and with a forked one."""
    if request.param == "own":
        return None
    path: Path = request.getfixturevalue("shared_fork_server")
    return path


@pytest.fixture
async def worker(fork_server: Path | None) -> AsyncIterator[LearnerWorker]:
    async with open_worker(fork_server=fork_server) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.trio
async def test_code_of_a_model_that_asks_prints_or_exits_ends_only_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models.py").write_text(OWN_MODELS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))

    def with_model(name: str) -> jobs.Initialise:
        return replace(_initialise(replace(SPEC, model=f"models:{name}")), allow_code=True)

    async with open_worker() as worker:
        with pytest.raises(LearningError, match="EOFError"):
            await worker.initialise(with_model("asks"))
        with pytest.raises(LearningError, match=r"^the model's code called sys\.exit\(3\)$"):
            await worker.initialise(with_model("leaves"))
        assert (await worker.initialise(with_model("prints"))).num_parameters == 650
        assert worker.statistics().restarts == 0


@pytest.mark.slow
@pytest.mark.trio
class TestWorker:
    async def test_a_round_on_digits(self, worker: LearnerWorker, tmp_path: Path) -> None:
        seen: list[Progress] = []

        initialised = await worker.initialise(_initialise(SPEC, 2))
        base = await worker.create_weights(jobs.CreateWeights(str(tmp_path)))
        trained = await worker.train(_train(base.path), seen.append)
        combined = await worker.combine(_combine(base.path, trained))
        evaluation = await worker.evaluate(jobs.EvaluateWeights(combined.path))
        exported = await worker.export(
            jobs.Export(combined.path, str(tmp_path / "runs" / "model.keras"))
        )

        assert initialised.num_train == trained.num_examples == 719
        assert combined.blob == trained.blob
        assert evaluation.accuracy > trained.evaluation.accuracy
        assert exported.path == str(tmp_path / "runs" / "model.keras")
        assert seen
        statistics = worker.statistics()
        assert (statistics.jobs_done, statistics.jobs_failed, statistics.restarts) == (6, 0, 0)

    async def test_combine_is_answered_in_the_middle_of_a_training_which_can_be_cancelled(
        self, worker: LearnerWorker, tmp_path: Path
    ) -> None:
        base = await _ready(worker, LONG, tmp_path)
        async with trio.open_nursery() as nursery:
            await nursery.start(_cancelled_training, worker, base)

            with trio.fail_after(60):
                combined = await worker.combine(_combine(base, None))

            assert combined.rejected == ()
            assert worker.statistics().calls_outstanding == 1
            worker.cancel_training()

        assert (await worker.evaluate(jobs.EvaluateWeights(base))).num_examples > 0

    async def test_cancelling_a_training_call_ends_the_training(
        self, worker: LearnerWorker, tmp_path: Path
    ) -> None:
        base = await _ready(worker, LONG, tmp_path)

        with trio.move_on_after(0.5):
            await worker.train(_train(base))

        with trio.fail_after(60):
            assert (await worker.evaluate(jobs.EvaluateWeights(base))).num_examples > 0

    async def test_progress_comes_at_most_four_times_a_second(
        self, worker: LearnerWorker, tmp_path: Path
    ) -> None:
        base = await _ready(worker, LONG, tmp_path)
        seen: list[tuple[float, Progress]] = []

        def on_progress(progress: Progress) -> None:
            seen.append((trio.current_time(), progress))
            if len(seen) == 9:
                worker.cancel_training()

        began_s = trio.current_time()
        with pytest.raises(TrainingCancelledError):
            await worker.train(_train(base), on_progress)

        # From the request, before which none was sent, to the arrival of the last one.
        assert seen[-1][0] - began_s > 0.25 * (len(seen) - 1)
        assert seen[-1][1].phase == "training"
        assert seen[-1][1].train_accuracy is not None

    async def test_a_killed_process_is_replaced_and_initialised_again(
        self, worker: LearnerWorker, tmp_path: Path
    ) -> None:
        base = await _ready(worker, LONG, tmp_path)
        first_pid = worker.statistics().pid
        assert first_pid is not None

        with pytest.raises(WorkerDiedError, match="code -9"):
            await worker.train(_train(base), _kill(first_pid))

        evaluation = await worker.evaluate(jobs.EvaluateWeights(base))
        assert evaluation.num_examples > 0
        assert worker.statistics().restarts == 1
        assert worker.statistics().pid != first_pid

    async def test_the_death_of_an_idle_process_is_logged(
        self, fork_server: Path | None, tmp_path: Path
    ) -> None:
        log = DeathLog()
        async with open_worker(log, fork_server) as worker:
            await _ready(worker, SPEC, tmp_path)
            pid = worker.statistics().pid
            assert pid is not None

            os.kill(pid, signal.SIGKILL)
            await log.warned.wait()

        assert "ended with code -9" in log.reason

    async def test_a_failed_job_says_why_and_the_process_lives_on(
        self, worker: LearnerWorker, tmp_path: Path
    ) -> None:
        with pytest.raises(LearningError, match="initialised before"):
            await worker.create_weights(jobs.CreateWeights(str(tmp_path)))
        with pytest.raises(ConfigurationError, match="code"):
            await worker.initialise(_initialise(replace(SPEC, model="os:getcwd")))
        base = await _ready(worker, SPEC, tmp_path)
        with pytest.raises(LearningError, match="missing"):
            await worker.evaluate(jobs.EvaluateWeights(str(tmp_path / "missing")))

        assert (await worker.evaluate(jobs.EvaluateWeights(base))).num_examples > 0
        assert worker.statistics().restarts == 0
        assert worker.statistics().jobs_failed == 3

    async def test_what_libraries_print_cannot_corrupt_frames(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        (tmp_path / "chatty.py").write_text(
            "import os, keras\n"
            "def build(input_shape, num_classes):\n"
            "    print('hello'); os.write(1, b'hello again\\n')\n"
            "    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(),\n"
            "                             keras.layers.Dense(num_classes)])\n"
        )
        async with open_worker() as chatty:
            spec = replace(SPEC, model="chatty:build")

            initialised = await chatty.initialise(_initialise(spec, allow_code=True))

            assert initialised.num_parameters == 650

    async def test_ctrl_c_is_left_to_the_peer(self, worker: LearnerWorker, tmp_path: Path) -> None:
        base = await _ready(worker, SPEC, tmp_path)
        pid = worker.statistics().pid
        assert pid is not None

        os.kill(pid, signal.SIGINT)

        assert (await worker.evaluate(jobs.EvaluateWeights(base))).num_examples > 0
        assert worker.statistics().pid == pid

    async def test_the_process_is_gone_after_the_block_even_in_the_middle_of_a_training(
        self, fork_server: Path | None, tmp_path: Path
    ) -> None:
        with trio.CancelScope() as scope:
            async with open_worker(fork_server=fork_server) as worker:
                base = await _ready(worker, LONG, tmp_path)
                pid = worker.statistics().pid
                await worker.train(_train(base), lambda progress: scope.cancel())

        assert pid is not None
        assert not psutil.pid_exists(pid)


@pytest.mark.slow
def test_the_process_ends_when_the_peer_is_gone(tmp_path: Path) -> None:
    script = (
        "import sys, trio\n"
        "from swarm.core.session import SessionSpec\n"
        "from swarm.learning.data_config import DataConfig\n"
        "from swarm.learning.federation import jobs\n"
        "from swarm.peer.processes.learner_worker import open_worker\n"
        "async def main(folder):\n"
        "    spec = SessionSpec(model='mlp', dataset='digits', input_shape=(8, 8, 1),\n"
        "                       local_epochs=100_000)\n"
        "    async with open_worker() as worker:\n"
        "        await worker.initialise(jobs.Initialise(spec, DataConfig('digits')))\n"
        "        base = (await worker.create_weights(jobs.CreateWeights(folder))).path\n"
        "        show = lambda progress: print(worker.statistics().pid, flush=True)\n"
        "        await worker.train(jobs.Train(base, 1, folder), show)\n"
        "trio.run(main, sys.argv[1])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as peer:
        assert peer.stdout is not None
        try:
            worker = psutil.Process(int(peer.stdout.readline()))
        finally:
            peer.kill()

        worker.wait(timeout=30)


async def _ready(worker: LearnerWorker, spec: SessionSpec, folder: Path) -> str:
    """Initialise, and return the path of the initial weights."""
    await worker.initialise(_initialise(spec))
    return (await worker.create_weights(jobs.CreateWeights(str(folder)))).path


async def _cancelled_training(
    worker: LearnerWorker,
    base: str,
    task_status: Any = trio.TASK_STATUS_IGNORED,
) -> None:
    """Train until the training is cancelled; report its start."""
    running = False

    def on_progress(progress: Progress) -> None:
        nonlocal running
        if not running:
            running = True
            task_status.started()

    with pytest.raises(TrainingCancelledError):
        await worker.train(_train(base), on_progress)


def _kill(pid: int) -> Callable[[Progress], None]:
    killed = False

    def on_progress(progress: Progress) -> None:
        nonlocal killed
        if not killed:
            killed = True
            os.kill(pid, signal.SIGKILL)

    return on_progress


def _initialise(
    spec: SessionSpec, partition_count: int = 1, *, allow_code: bool = False
) -> jobs.Initialise:
    data = DataConfig(dataset="digits", partition_count=partition_count)
    return jobs.Initialise(spec, data, allow_code)


def _train(base: str) -> jobs.Train:
    return jobs.Train(base, 1, str(Path(base).parent))


def _combine(base: str, trained: jobs.Trained | None) -> jobs.Combine:
    path, num_examples = (trained.path, trained.num_examples) if trained else (base, 1)
    return jobs.Combine(
        base, (jobs.CombineInput("peer", path, num_examples),), str(Path(base).parent)
    )
