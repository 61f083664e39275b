"""Whole studies with real worker processes: shared, killed, poisoned, resumed."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from swarm.core.errors import ConfigurationError
from swarm.peer.search.brokers.broker_messages import WORKERS, trials_topic
from swarm.peer.search.brokers.collector import (
    BrokerStudySettings,
    check_through_broker,
    run_through_broker,
)
from swarm.peer.search.brokers.urls import open_broker
from swarm.peer.search.ledger_file import read_ledger
from swarm.search.study_ledger import StudyLedger
from swarm.search.trial import COMPLETE
from tests.peer.search.brokers.test_brokers import Log
from tests.peer.search.studies_run import make_study

WITHIN_S = 180
KNN = {"n_neighbors": {"integer": [1, 40]}, "p": {"float": [1.0, 3.0]}}
SLOW = {"learning_rate_init": {"float": [0.0001, 0.1], "log": True}, "epochs": 80}
"""Half a second or so each: long enough that a worker is killed in the middle of one."""

StartWorker = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Starts workers, whose logs are files, and ends those that are left."""
    started: list[subprocess.Popen[bytes]] = []

    def start(url: str, *flags: str) -> "subprocess.Popen[bytes]":
        with (tmp_path / f"worker-{len(started)}.log").open("wb") as log:
            worker = subprocess.Popen(
                [
                    *(sys.executable, "-m", "swarm.search", "worker", "--broker", url),
                    *("--log-format", "json", *flags),
                ],
                stderr=log,
            )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.wait(timeout=60)


def _log_of(folder: Path, number: int) -> list[dict[str, Any]]:
    lines = (folder / f"worker-{number}.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.trio
async def test_a_killed_worker_s_trials_go_to_another_and_each_result_counts_once(
    broker_url: str, tmp_path: Path, start_worker: StartWorker
) -> None:
    name = f"killed-{broker_url[:5]}"
    spec = make_study({"mlp": SLOW}, name=name, num_trials=5, strategy="random")
    settings = BrokerStudySettings(broker_url, tmp_path / "study", in_flight=2)
    first = start_worker(broker_url, "--model", "mlp")
    second: list[subprocess.Popen[bytes]] = []

    def on_change(ledger: StudyLedger) -> None:
        if ledger.results and not second:  # it has begun the next one by now
            first.kill()
            second.append(start_worker(broker_url, "--model", "mlp"))

    with trio.fail_after(WITHIN_S):
        ledger = await run_through_broker(spec, settings, Log(), on_change)

    assert [trial.number for trial in ledger.trials.values()] == list(range(5))
    assert ledger.results.keys() == ledger.trials.keys()
    assert {result.state for result in ledger.results.values()} == {COMPLETE}
    workers = {result.peer.rpartition(":")[2] for result in ledger.results.values()}
    assert workers == {str(first.pid), str(second[0].pid)}
    assert read_ledger(tmp_path / "study").checksum == ledger.checksum


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.trio
async def test_a_study_that_was_left_goes_on_and_poison_is_refused(
    rabbitmq_url: str, tmp_path: Path, start_worker: StartWorker
) -> None:
    spec = make_study({"knn": KNN, "svm": {"C": [0.1, 1.0, 10.0]}}, num_trials=20, seed=8)
    settings = BrokerStudySettings(rabbitmq_url, tmp_path / "study", in_flight=4)
    async with open_broker(rabbitmq_url, None, Log()) as broker:
        await broker.prepare([trials_topic("knn")], WORKERS)
        await broker.publish(trials_topic("knn"), b"\x80\x04junk")
    worker = start_worker(rabbitmq_url, "--slots", "2")

    with trio.fail_after(WITHIN_S), trio.CancelScope() as left:

        def leave(ledger: StudyLedger) -> None:
            if len(ledger.results) >= 5:
                left.cancel()

        await run_through_broker(spec, settings, Log(), leave)
    cut_off = read_ledger(tmp_path / "study")
    with trio.fail_after(WITHIN_S):
        ledger = await run_through_broker(spec, settings, Log(), lambda ledger: None)
    worker.send_signal(signal.SIGINT)

    assert left.cancelled_caught
    assert 5 <= len(cut_off.results) < 20
    assert ledger.results.keys() == ledger.trials.keys()
    assert len(ledger.results) == 20
    for trial, result in cut_off.results.items():
        assert ledger.results[trial] == result
    assert worker.wait(timeout=30) == 0
    (refused,) = [line for line in _log_of(tmp_path, 0) if line["event"] == "message refused"]
    assert refused["topic"] == "hyperparams_knn"
    assert "not a valid message" in refused["reason"]


@pytest.mark.slow
@pytest.mark.network
def test_the_command_line_runs_a_study_of_a_file(
    rabbitmq_url: str, tmp_path: Path, start_worker: StartWorker
) -> None:
    rows = "\n".join(f"{n % 7},{n % 5},{'red' if n % 7 > 3 else 'blue'}" for n in range(90))
    (tmp_path / "own.csv").write_text(f"a,b,colour\n{rows}\n")
    (tmp_path / "study.toml").write_text(
        'name = "own"\ndata = "own.csv"\ntarget = "colour"\nnum_trials = 4\nfolds = 2\n'
        "[models.dtree]\nmax_depth = { integer = [1, 5] }\n"
    )
    start_worker(rabbitmq_url, "--model", "dtree", "--data", str(tmp_path / "own.csv"))

    done = subprocess.run(
        [
            *(sys.executable, "-m", "swarm.search", "run", str(tmp_path / "study.toml")),
            *("--broker", rabbitmq_url, "--state", str(tmp_path / "state")),
        ],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("own: done, 4 results, best accuracy 1.0000 (dtree ")
    (folder,) = (tmp_path / "state" / "studies").iterdir()
    assert len(read_ledger(folder).results) == 4


@pytest.mark.slow
def test_broker_flags_without_a_broker_are_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "swarm.search", "worker", "--model", "knn"],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )

    assert (done.returncode, done.stderr[:30]) == (2, "error: --model and --data need")


def test_a_study_that_no_broker_can_run_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigurationError, match="halving stops running trials"):
        check_through_broker(make_study({"mlp": {}}, strategy="halving"))
    with pytest.raises(ConfigurationError, match="knn has no hyperparameter"):
        check_through_broker(make_study({"knn": {"k": [1]}}))
