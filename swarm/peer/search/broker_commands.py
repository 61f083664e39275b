"""The commands `run` and `worker` with `--broker`."""

import os
import socket
import sys
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
from swarm.peer.search.search_settings import SearchSettings
from swarm.peer.search.study_actions import check_document, read_data
from swarm.peer.search.study_progress import StudyProgress
from swarm.peer.search.study_text import EXIT_INTERRUPTED, print_outcome, print_was_over
from swarm.search.catalog import MODELS
from swarm.search.study import NOBODY
from swarm.search.study_file import data_file, missing_target, parse_study
from swarm.search.study_ledger import StudyLedger

log = structlog.get_logger()


def run_with_broker(
    document: Mapping[str, Any], beside: Path, url: str, in_flight: int, settings: SearchSettings
) -> None:
    """Run a study through a broker, and print the best trial when it is over.

    Args:
        document: The study file's fields.
        beside: Relative paths of data files start here.
        url: The broker's URL.
        in_flight: Most trials that are published and have no result yet.
        settings: Where studies are kept; its other fields are not used here.

    Raises:
        ConfigurationError: The study or the URL is wrong.
        NetworkError: The broker cannot be reached.
    """
    path = data_file(document)
    blob, data = None, b""
    if path is not None:
        unread = check_document(document, NOBODY, allow_code=False)
        data = read_data(unread, beside / path, missing_target(document))
        blob = BlobRef(sha256_hex(data), len(data))
    spec = parse_study(document, NOBODY, blob)
    folder = settings.folder_of(spec.id)
    print(f"Study {spec.name} ({spec.id[:16]}), kept in {folder}", file=sys.stderr)
    own = "" if path is None else f" --data {_for_workers(data, beside / path, folder)}"
    print(f"Start workers with: python -m swarm.search worker --broker URL{own}", file=sys.stderr)
    where = BrokerStudySettings(url, folder, in_flight)
    has_begun: list[bool] = []

    def show(ledger: StudyLedger) -> None:
        has_begun.append(True)
        progress.show(ledger)

    with StudyProgress(spec) as progress:
        ledger = _until_signal(lambda: run_through_broker(spec, where, log, show))
    if ledger is None or ledger.closed is None:
        print("Interrupted; run the same command again to resume the study.", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED)
    if not has_begun:
        print_was_over()
    raise typer.Exit(print_outcome(ledger, folder, ""))


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


def _for_workers(data: bytes, path: Path, folder: Path) -> Path:
    """The file that workers need: the user's own, or a copy if it is sent in another form."""
    if path.read_bytes() == data:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "data.csv"
    copy.write_bytes(data)
    return copy


def _until_signal(run: Callable[[], Awaitable[Any]]) -> Any:
    """Run a function; return its result, or None if Ctrl-C or SIGTERM came first."""
    scope = trio.CancelScope()
    results: list[Any] = []

    async def within() -> None:
        with scope:
            results.append(await run())

    trio.run(run_until_signal, within, scope.cancel)
    return results[0] if results else None
