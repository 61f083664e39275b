"""Trials per second through a broker: two workers with a slot each, beside the pool."""

import importlib
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio
from rich.progress import Progress
from rich.table import Table

from benchmarks.searching.engines import (
    NUM_WORKERS,
    QUEUED_PER_WORKER,
    WARM_UP,
    Engine,
    open_pool,
    pool_engine,
)
from benchmarks.searching.studies import STOP_WITHIN_S, document
from swarm.peer.search.brokers.collector import BrokerStudySettings, run_through_broker
from swarm.search.study import NOBODY
from swarm.search.study_file import parse_study
from swarm.search.study_ledger import StudyLedger
from tests.harness.search_work import STUDY

POOL = "multiprocessing pool (the bound)"
MOCK = "Kafka, librdkafka's mock broker"
OVER_WITHIN_S = 300.0


def measure(
    urls: Sequence[str], trials: int, repeats: int, progress: Progress
) -> dict[str, list[float]]:
    """Measure trials per second of the pool and through each broker, interleaved."""
    with ExitStack() as stack:
        engines = {POOL: pool_engine(stack.enter_context(open_pool()))}
        for url in urls:
            name = f"{url.partition(':')[0]}://"
            engines[name] = stack.enter_context(_open_workers(url))
        if importlib.util.find_spec("confluent_kafka") is not None:
            mock_url = stack.enter_context(_open_mock_kafka())
            engines[MOCK] = stack.enter_context(_open_workers(mock_url))
        task = progress.add_task("", total=repeats * len(engines))
        rates: dict[str, list[float]] = {name: [] for name in engines}
        for repeat in range(repeats):
            for name, engine in engines.items():
                progress.update(task, description=name)
                rates[name].append(engine(trials, repeat))
                progress.advance(task)
        progress.remove_task(task)
    return rates


def table(rates: dict[str, list[float]]) -> Table:
    """Show rates, and their ratios to the pool's."""
    shown = Table("through a broker, two workers", "trials/s", "of the pool's")
    for name, found in rates.items():
        ratio = statistics.median(a / b for a, b in zip(found, rates[POOL], strict=True))
        shown.add_row(name, f"{statistics.median(found):.1f}", f"{ratio:.2f}")
    if not any(name.startswith("amqp") for name in rates):
        shown.add_row("RabbitMQ", "not run: name one with --broker amqp://...", "")
    return shown


@contextmanager
def _open_workers(url: str) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="swarm-benchmark-") as folder:
        root = Path(folder)
        command = [sys.executable, "-m", "swarm.search", "worker", "--broker", url]
        workers = []
        for number in range(NUM_WORKERS):
            with (root / f"worker-{number}.log").open("wb") as log:
                workers.append(
                    subprocess.Popen([*command, "--model", "logreg"], stdout=log, stderr=log)
                )
        try:
            yield partial(_run, url, root)
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                try:
                    worker.wait(STOP_WITHIN_S)
                except subprocess.TimeoutExpired:
                    worker.kill()
                    worker.wait()


def _run(url: str, root: Path, trials: int, seed: int) -> float:
    spec = parse_study(document(f"brokers {seed}", trials + WARM_UP, seed, **STUDY), NOBODY)
    settings = BrokerStudySettings(
        url, root / f"study-{seed}", in_flight=2 * NUM_WORKERS * QUEUED_PER_WORKER
    )
    num_warm, warm_s = 0, 0.0

    def note(ledger: StudyLedger) -> None:
        nonlocal num_warm, warm_s
        if not num_warm and len(ledger.results) >= WARM_UP:
            num_warm, warm_s = len(ledger.results), time.perf_counter()

    async def run() -> None:
        with trio.fail_after(OVER_WITHIN_S):
            await run_through_broker(spec, settings, structlog.get_logger(), note)

    trio.run(run)
    return (trials + WARM_UP - num_warm) / (time.perf_counter() - warm_s)


@contextmanager
def _open_mock_kafka() -> Iterator[str]:
    producer: Any = importlib.import_module("confluent_kafka").Producer
    mock = producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 3})
    (broker,) = mock.list_topics(timeout=60).brokers.values()
    # Unlike Kafka, the mock broker answers a waiting consumer only when its wait is over.
    yield f"kafka://{broker.host}:{broker.port}?fetch.wait.max.ms=5"
    mock.flush(1)
