"""Real fork servers, workers forked by them, and peers that outlive both."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio
import trio.testing

from swarm.core.errors import WorkerDiedError
from swarm.core.session import SessionSpec
from swarm.learning.data_config import DataConfig
from swarm.learning.federation import jobs
from swarm.peer.processes import fork_server
from swarm.peer.processes.fork_server import (
    Ended,
    Forked,
    Message,
    Refused,
    Request,
    decode,
    encode,
)
from swarm.peer.processes.learner_worker import LearnerWorker, open_worker

SPEC = SessionSpec(model="mlp", dataset="digits", input_shape=(8, 8, 1), learning_rate=0.1)
GONE_WITHIN_S = 120

StartForkServer = Callable[..., AbstractContextManager[tuple["subprocess.Popen[str]", Path]]]

needs_linux = pytest.mark.skipif(not fork_server.is_supported(), reason="needs Linux")


class WarningLog:
    """A log that keeps its warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, event: str, **fields: Any) -> None:
        """Ignore it."""

    def warning(self, event: str, **fields: Any) -> None:
        self.warnings.append(f"{event}: {fields.get('reason')}")


@pytest.mark.parametrize(
    "message", [Request("python", "/", {"A": "b"}), Forked(7), Refused("no"), Ended(-9)]
)
def test_a_message_survives_the_socket(message: Message) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"{}", b'{"kind": "Ended"}', b'{"kind": []}']
)
def test_bytes_that_are_not_a_message_are_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a message of ours"):
        decode(data)


def test_only_variables_that_libraries_read_while_loading_must_agree() -> None:
    here = Request("python", "/here", {"SWARM_NAME": "a", "PWD": "/", "TF_X": "1"})

    assert here.difference(Request("python", "/here", {"SWARM_NAME": "b", "TF_X": "1"})) is None
    assert here.difference(Request("python", "/there", dict(here.environment))) == "folder"
    assert here.difference(Request("python", "/here", {"TF_X": "2"})) == "TF_X"
    assert here.difference(Request("python", "/here", {"TF_X": "1", "SWARM_BACKEND": "jax"})) == (
        "SWARM_BACKEND"
    )


@needs_linux
def test_a_folder_that_exists_is_refused(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "swarm.peer.processes.fork_server", str(tmp_path / "socket")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 1
    assert "FileExistsError" in ended.stderr
    assert tmp_path.exists()


@pytest.mark.slow
@needs_linux
@pytest.mark.trio
class TestForkServer:
    async def test_a_forked_worker_trains_to_the_same_bytes_as_one_that_was_not_forked(
        self, shared_fork_server: Path, tmp_path: Path
    ) -> None:
        log = WarningLog()
        digests = []
        for index, server in enumerate((shared_fork_server, shared_fork_server, None)):
            folder = tmp_path / str(index)
            folder.mkdir()
            async with open_worker(log, server) as worker:
                base = await ready(worker, folder)
                first = await worker.train(jobs.Train(base, 1, str(folder)))
                second = await worker.train(jobs.Train(first.path, 2, str(folder)))
            digests.append((first.blob.digest, second.blob.digest))

        assert digests[0] == digests[1] == digests[2]
        assert log.warnings == []

    async def test_a_worker_holds_only_its_own_pipes(
        self, shared_fork_server: Path, tmp_path: Path
    ) -> None:
        async with (
            open_worker(fork_server=shared_fork_server) as first,
            open_worker(fork_server=shared_fork_server) as second,
        ):
            await ready(first, tmp_path)
            await ready(second, tmp_path)
            pids = [first.statistics().pid, second.statistics().pid]

            ours, others = (open_files(pid) for pid in pids)
            parents = {psutil.Process(pid).ppid() for pid in pids}

        assert len(parents - {os.getpid()}) == 1
        assert ours >= {os.devnull}  # the stdin of a model's code
        assert others >= {os.devnull}
        ours, others = ours - {os.devnull}, others - {os.devnull}
        assert len(ours) == len(others) == 3
        assert all(name.startswith("pipe:") for name in ours | others)
        assert not ours & others

    async def test_a_peer_with_another_environment_starts_its_own_worker_and_says_why(
        self, shared_fork_server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # A variable that nothing else sets; importing our learning code here sets some others.
        monkeypatch.setenv("XLA_OF_THIS_TEST", "1")
        log = WarningLog()

        async with open_worker(log, shared_fork_server) as worker:
            await ready(worker, tmp_path)

        assert log.warnings == [
            "starts its own worker: the fork server has another XLA_OF_THIS_TEST"
        ]

    async def test_without_a_server_the_peer_starts_its_own_worker_and_says_so(
        self, tmp_path: Path
    ) -> None:
        log = WarningLog()

        async with open_worker(log, tmp_path / "missing") as worker:
            await ready(worker, tmp_path)

        assert log.warnings == ["starts its own worker: [Errno 2] No such file or directory"]

    async def test_jobs_survive_a_server_that_dies_while_it_loads(self, tmp_path: Path) -> None:
        log = WarningLog()
        listener = trio.socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with listener:
            await listener.bind(str(tmp_path / "socket"))
            listener.listen()
            async with (
                open_worker(log, tmp_path / "socket") as worker,
                trio.open_nursery() as peer,
            ):
                peer.start_soon(ready, worker, tmp_path)
                connection, _ = await listener.accept()
                assert await connection.recv(fork_server.MESSAGE_SIZE_MAX)

                connection.close()

        assert log.warnings == ["starts its own worker: the fork server has ended"]

    async def test_a_worker_outlives_the_server_and_its_death_is_still_seen(
        self, start_fork_server: StartForkServer, tmp_path: Path
    ) -> None:
        log = WarningLog()
        with start_fork_server() as (server, path):
            async with open_worker(log, path) as worker:
                base = await ready(worker, tmp_path)
                pid = worker.statistics().pid
                assert pid is not None
                server.kill()
                server.wait()

                assert (await worker.evaluate(jobs.EvaluateWeights(base))).num_examples > 0

                os.kill(pid, signal.SIGSTOP)  # so that it dies before it answers
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(expect_death, worker, base)
                    await trio.testing.wait_all_tasks_blocked()
                    os.kill(pid, signal.SIGKILL)
                assert (await worker.evaluate(jobs.EvaluateWeights(base))).num_examples > 0
        path.unlink()
        path.parent.rmdir()

        assert "ended with code unknown" in log.warnings[0]
        assert "starts its own worker: [Errno 111]" in log.warnings[1]

    async def test_invalid_requests_are_refused_and_the_server_goes_on(
        self, shared_fork_server: Path, tmp_path: Path
    ) -> None:
        answers = []
        for invalid in (b"{}", encode(Ended(1)), encode(fork_server.request_of_this_process())):
            with trio.socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
                await connection.connect(str(shared_fork_server))
                await connection.send(invalid)
                answers.append(decode(await connection.recv(1000)))
                assert await connection.recv(1000) == b""

        assert answers[0] == Refused("not a message of ours: b'{}'")
        assert answers[1:] == [Refused("a request comes with the ends of three pipes")] * 2
        async with open_worker(fork_server=shared_fork_server) as worker:
            await ready(worker, tmp_path)

    async def test_a_server_with_a_second_thread_does_not_fork(
        self, start_fork_server: StartForkServer, tmp_path: Path
    ) -> None:
        script = (
            "import threading; from swarm.peer.processes import fork_server\n"
            "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
            "fork_server.main()\n"
        )
        log = WarningLog()
        with start_fork_server(sys.executable, "-c", script) as (_, path):
            async with open_worker(log, path) as worker:
                await ready(worker, tmp_path)

        assert log.warnings == [
            "starts its own worker: cannot fork: forking needs 1 thread, the server has 2"
        ]


@pytest.mark.slow
def test_the_socket_is_for_this_user_alone(shared_fork_server: Path) -> None:
    assert stat.S_IMODE(shared_fork_server.stat().st_mode) == 0o600
    assert stat.S_IMODE(shared_fork_server.parent.stat().st_mode) == 0o700


@pytest.mark.slow
@needs_linux
@pytest.mark.parametrize("how", ["stdin", "SIGTERM", "SIGINT"])
def test_a_server_that_ends_kills_its_workers_and_removes_its_folder(
    how: str, start_fork_server: StartForkServer
) -> None:
    with start_fork_server() as (server, path):
        assert server.stdin is not None
        with subprocess.Popen(
            [sys.executable, "-c", PEER, str(path)], stdout=subprocess.PIPE, text=True
        ) as peer:
            try:
                assert peer.stdout is not None
                worker = psutil.Process(int(peer.stdout.readline()))
                assert worker.parent() == psutil.Process(server.pid)

                if how == "stdin":
                    server.stdin.close()
                else:
                    server.send_signal(signal.Signals[how])

                assert server.wait(timeout=GONE_WITHIN_S) == 0
                assert not worker.is_running()
            finally:
                peer.kill()
    assert not path.parent.exists()


@pytest.mark.slow
@needs_linux
def test_a_server_that_is_stopped_while_it_loads_leaves_no_folder(
    start_fork_server: StartForkServer,
) -> None:
    with start_fork_server() as (server, path):
        server.send_signal(signal.SIGTERM)

        assert server.wait(timeout=GONE_WITHIN_S) == 0
        assert not path.parent.exists()


@needs_linux
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_loading_even_if_every_exception_is_swallowed(
    signum: signal.Signals, start_fork_server: StartForkServer
) -> None:
    script = (
        "import time; from swarm.peer.processes import fork_server\n"
        "def load():\n"
        "    print('loading', flush=True)\n"
        "    while True:\n"
        "        try:\n"
        "            time.sleep(60)\n"
        "        except BaseException:\n"
        "            pass\n"
        "fork_server._load = load\n"
        "fork_server.main()\n"
    )
    with start_fork_server(sys.executable, "-c", script) as (server, path):
        assert server.stdout is not None
        assert server.stdout.readline().strip() == "loading"

        server.send_signal(signum)

        assert server.wait(timeout=GONE_WITHIN_S) == 0
        assert not path.parent.exists()


@pytest.mark.slow
def test_the_worker_of_a_killed_peer_is_killed_even_while_it_is_stopped(
    shared_fork_server: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PEER, str(shared_fork_server)], stdout=subprocess.PIPE, text=True
    ) as peer:
        assert peer.stdout is not None
        try:
            worker = psutil.Process(int(peer.stdout.readline()))
            worker.suspend()  # so it cannot notice that its stdin closes
        finally:
            peer.kill()

        worker.wait(timeout=GONE_WITHIN_S)


PEER = (
    "import sys, tempfile, trio\n"
    "from pathlib import Path\n"
    "from swarm.core.session import SessionSpec\n"
    "from swarm.learning.data_config import DataConfig\n"
    "from swarm.learning.federation import jobs\n"
    "from swarm.peer.processes.learner_worker import open_worker\n"
    "async def main(server):\n"
    "    spec = SessionSpec(model='mlp', dataset='digits', input_shape=(8, 8, 1))\n"
    "    async with open_worker(fork_server=Path(server)) as worker:\n"
    "        await worker.initialise(jobs.Initialise(spec, DataConfig('digits')))\n"
    "        print(worker.statistics().pid, flush=True)\n"
    "        await trio.sleep_forever()\n"
    "trio.run(main, sys.argv[1])\n"
)
"""A process that has a worker from the server and prints its pid."""


async def ready(worker: LearnerWorker, folder: Path) -> str:
    """Initialise, and return the path of the initial weights."""
    await worker.initialise(jobs.Initialise(SPEC, DataConfig("digits")))
    return (await worker.create_weights(jobs.CreateWeights(str(folder)))).path


async def expect_death(worker: LearnerWorker, base: str) -> None:
    with pytest.raises(WorkerDiedError):
        await worker.evaluate(jobs.EvaluateWeights(base))


def open_files(pid: int | None) -> set[str]:
    return {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
