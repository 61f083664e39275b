"""What the commands `run` and `worker` do with `--broker`."""

import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog
import trio
import typer

from swarm.core.blobs import BlobRef
from swarm.core.canonical import sha256_hex
from swarm.core.errors import ConfigurationError
from swarm.learning.search.study_tasks import Places
from swarm.peer.host.command_line import run_until_signal
from swarm.peer.search.brokers.broker_worker import BrokerWorkerSettings, work_for_broker
from swarm.peer.search.brokers.collector import BrokerStudySettings, run_through_broker
from swarm.peer.search.closing_report import (
    EXIT_INTERRUPTED,
    best_in_words,
    tell_end,
    tell_was_over,
)
from swarm.peer.search.search_settings import SearchSettings
from swarm.peer.search.study_progress import StudyProgress
from swarm.peer.search.study_runs import check_document, read_data
from swarm.search.catalog import MODELS
from swarm.search.study import NOBODY
from swarm.search.study_file import data_file, parse_study
from swarm.search.study_ledger import StudyLedger

log = structlog.get_logger()


def run_with_broker(
    document: Mapping[str, Any], beside: Path, url: str, in_flight: int, settings: SearchSettings
) -> None:
    """Run a study through a broker, and show the best when it is over.

    Args:
        document: The study file's values.
        beside: The folder that the path of the study's own data is relative to.
        url: The broker's.
        in_flight: Most trials asked for and not yet answered.
        settings: Where studies are kept; nothing else of it counts here.

    Raises:
        ConfigurationError: The study or the URL is wrong.
        NetworkError: The broker cannot be reached.
    """
    path = data_file(document)
    blob = None
    if path is not None:
        data = read_data(check_document(document, NOBODY, allow_code=False), beside / path)
        blob = BlobRef(sha256_hex(data), len(data))
    spec = parse_study(document, NOBODY, blob)
    folder = settings.folder_of(spec.id)
    print(f"Study {spec.name} ({spec.id[:16]}), kept in {folder}", file=sys.stderr)
    print("Machines work for it with: python -m swarm.search worker --broker URL", file=sys.stderr)
    where = BrokerStudySettings(url, folder, in_flight)
    has_begun: list[bool] = []

    def show(ledger: StudyLedger) -> None:
        has_begun.append(True)
        progress.show(len(ledger.results), best_in_words(ledger))

    started_s = time.monotonic()
    with StudyProgress(spec, lambda: time.monotonic() - started_s) as progress:
        ledger = _until_signal(lambda: run_through_broker(spec, where, log, show))
    if ledger is None or ledger.closed is None:
        print("Left; the same command goes on with it.", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED)
    if not has_begun:
        tell_was_over()
    raise typer.Exit(tell_end(ledger, folder, ""))


def work_with_broker(
    url: str,
    slots: int,
    models: list[str] | None,
    data: Path | None,
    settings: SearchSettings,
) -> None:
    """Take trials from a broker and run them, until Ctrl-C.

    Raises:
        ConfigurationError: A value is wrong.
        NetworkError: The broker cannot be reached.
    """
    for model in models or ():
        if model not in MODELS:
            raise ConfigurationError(f"model must be one of {', '.join(MODELS)}, got {model!r}")
    if slots < 1:
        raise ConfigurationError(f"slots must be at least 1 with --broker, got {slots}")
    work = BrokerWorkerSettings(
        url=url,
        models=tuple(models or MODELS),
        slots=slots,
        name=f"{socket.gethostname()}:{os.getpid()}",
        places=Places(
            data_path=None if data is None else str(data),
            data_dir=None if settings.data_dir is None else str(settings.data_dir),
            cache_dir=str(settings.cache_dir),
        ),
    )
    _until_signal(lambda: work_for_broker(work, log))


def _until_signal(run: Callable[[], Awaitable[Any]]) -> Any:
    """Its result, or None if Ctrl-C or SIGTERM came first."""
    scope = trio.CancelScope()
    results: list[Any] = []

    async def within() -> None:
        with scope:
            results.append(await run())

    trio.run(run_until_signal, within, scope.cancel)
    return results[0] if results else None
