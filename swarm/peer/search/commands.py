"""`python -m swarm.search`: submits studies, works for them, and shows what they found."""

import json
import sys
import tempfile
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import trio
import typer

from swarm.core.errors import ConfigurationError, SwarmError
from swarm.core.text import decode_text
from swarm.peer.host.bootstrap_hints import warn_while_nobody_answers
from swarm.peer.host.command_line import run_command, run_until_signal
from swarm.peer.host.host import Host
from swarm.peer.host.host_settings import DEFAULT_STATE, parse_bootstraps
from swarm.peer.host.logs import FORMATS, LEVELS, configure_logs
from swarm.peer.search.broker_commands import run_with_broker, work_with_broker
from swarm.peer.search.brokers.collector import IN_FLIGHT
from swarm.peer.search.ledger_file import read_ledger
from swarm.peer.search.overview import ID_LENGTH, show_studies, study_row
from swarm.peer.search.results_commands import app
from swarm.peer.search.search_peer import SearchPeer
from swarm.peer.search.search_settings import STUDIES_FOLDER, SearchSettings
from swarm.peer.search.studies import Studies
from swarm.peer.search.study_actions import (
    cancel_study,
    read_study,
    run_study,
    wait_studies,
    wait_study,
)
from swarm.peer.search.study_driver import StudyDriver
from swarm.peer.search.study_progress import work_in_words
from swarm.peer.search.study_text import (
    EXIT_INTERRUPTED,
    first_error,
    print_left,
    print_outcome,
    print_was_over,
    resume_command,
)
from swarm.peer.search.waiting_hints import (
    print_study_hints,
    print_worker_hints,
)
from swarm.search.study import StudySpec

Bootstraps = Annotated[
    list[str] | None,
    typer.Option(
        "--bootstrap",
        help="A peer to join: ip:port, host:port or a multiaddr. May be repeated.",
    ),
]
Ip = Annotated[str, typer.Option(help="Address to listen on, as in 0.0.0.0.")]
Port = Annotated[int, typer.Option(help="TCP port to listen on; 0 takes a free one.")]
State = Annotated[
    Path | None,
    typer.Option(
        help="Folder for identity, studies and ledgers.  [default: in the user's state folder]"
    ),
]
Slots = Annotated[int, typer.Option(help="Number of trials to run at once here; 0 runs none.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder that may contain cifar-10-batches-bin/.", envvar="SWARM_DATA_DIR"),
]
AllowCode = Annotated[
    bool,
    typer.Option(
        help="Let code that studies name run here, from packages of this machine: strategies as "
        "module:Class, models as module:function."
    ),
]
LogLevel = Annotated[str, typer.Option(help=f"One of {', '.join(LEVELS)}.")]
LogFormat = Annotated[str, typer.Option(help=f"One of {', '.join(FORMATS)}.")]
Study = Annotated[str, typer.Argument(help="Name of the study, or the beginning of its id.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for the answers of peers.")]
Broker = Annotated[
    str | None,
    typer.Option(
        help="Send trials through a broker, not to peers: amqp://user:password@host:port or "
        "kafka://host:port.",
        envvar="SWARM_BROKER",
    ),
]
_TOML: tuple[str, Callable[[str], Any]] = ("TOML", tomllib.loads)
Action = Callable[[Host, Studies], Awaitable[None]]
"""What a command does with the studies of its peer."""


@app.command()
def run(  # noqa: PLR0913, PLR0917 (one for each flag)
    study: Annotated[Path, typer.Argument(help="Study file (TOML or JSON), see docs/search.md.")],
    bootstrap: Bootstraps = None,
    ip: Ip = "127.0.0.1",
    port: Port = 0,
    slots: Slots = 1,
    state: State = None,
    data_dir: DataDir = None,
    allow_code: AllowCode = False,
    broker: Broker = None,
    in_flight: Annotated[
        int,
        typer.Option(help="With --broker: most trials that wait for their result.", min=1),
    ] = IN_FLIGHT,
    log_level: LogLevel = "warning",
    log_format: LogFormat = "text",
) -> None:
    """Submit a study and work for it. Prints the best trial when the study is over.

    Without --bootstrap this peer starts a swarm, and prints how other peers join it.

    With Ctrl-C this peer leaves the study. Other peers go on with it, and `resume` joins again.
    """
    document = _read_document(study)
    configure_logs(log_level, log_format)
    settings = _settings(bootstrap, state, ip, port, slots, data_dir, allow_code)
    if broker is not None:
        run_with_broker(document, study.parent, broker, in_flight, settings)
        return

    async def read(host: Host) -> StudySpec:
        return await read_study(document, study.parent, host, allow_code=allow_code)

    _run_until_over(SearchPeer(settings), read)


@app.command()
def resume(  # noqa: PLR0913, PLR0917 (one for each flag)
    folder: Annotated[Path, typer.Argument(help="Folder of the study, as `run` printed it.")],
    bootstrap: Bootstraps = None,
    ip: Ip = "127.0.0.1",
    port: Port = 0,
    slots: Slots = 1,
    data_dir: DataDir = None,
    allow_code: AllowCode = False,
    log_level: LogLevel = "warning",
    log_format: LogFormat = "text",
) -> None:
    """Resume an interrupted study. Its results so far are kept."""
    ledger = read_ledger(folder)
    if folder.absolute().parent.name != STUDIES_FOLDER:
        raise ConfigurationError(f"{folder} must be in the {STUDIES_FOLDER} of a state folder")
    state = folder.absolute().parent.parent
    configure_logs(log_level, log_format)
    settings = _settings(bootstrap, state, ip, port, slots, data_dir, allow_code)

    async def read(_: Host) -> StudySpec:
        await trio.lowlevel.checkpoint()
        return ledger.spec

    _run_until_over(SearchPeer(settings), read)


@app.command()
def worker(  # noqa: PLR0913, PLR0917 (one for each flag)
    bootstrap: Bootstraps = None,
    ip: Ip = "127.0.0.1",
    port: Port = 0,
    slots: Slots = 1,
    state: State = None,
    data_dir: DataDir = None,
    allow_code: AllowCode = False,
    broker: Broker = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="With --broker: run only trials of this model. May be repeated."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="With --broker: CSV or .npz file, for studies whose data is a file."),
    ] = None,
    log_level: LogLevel = "info",
    log_format: LogFormat = "text",
) -> None:
    """Work for the studies of a swarm, until Ctrl-C. Takes one study after the other."""
    configure_logs(log_level, log_format)
    settings = _settings(bootstrap, state, ip, port, slots, data_dir, allow_code)
    if broker is not None:
        work_with_broker(broker, slots, model, data, settings)
        return
    if model or data:
        raise ConfigurationError("--model and --data need --broker; peers send each other data")

    async def work(host: Host, _studies: Studies) -> None:
        print_worker_hints(host, slots)
        await warn_while_nobody_answers(host)
        await trio.sleep_forever()

    _run_peer(SearchPeer(settings), work)


@app.command()
def status(
    bootstrap: Bootstraps = None,
    timeout: Timeout = 5.0,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per study.")
    ] = False,
) -> None:
    """Show the studies of a swarm. Prints progress and the best trial of each."""

    async def show(host: Host, studies: Studies) -> None:
        found = await wait_studies(studies, timeout)
        if not found:
            if not host.met.is_set():
                raise SwarmError(f"no peer answered at {host.bootstraps} within {timeout:g} s")
            typer.echo(f"the peers offered no study within {timeout:g} s", err=True)
            return
        rows = [study_row(one.machine, is_read=one.is_read) for one in found]
        show_studies(rows, json_lines=json_lines)

    _observe(bootstrap, timeout, show)


@app.command()
def best(
    study: Annotated[
        str,
        typer.Argument(
            help="Name of the study, or the beginning of its id. Optional if there is only one."
        ),
    ] = "",
    bootstrap: Bootstraps = None,
    timeout: Timeout = 15.0,
) -> None:
    """Print the best trial of a study so far, as JSON."""

    async def show(_: Host, studies: Studies) -> None:
        driver = await wait_study(studies, study, timeout)
        ledger = driver.machine.ledger
        typer.echo(json.dumps(study_row(driver.machine)["best"], indent=2))
        if ledger.best is None:
            typer.echo(f"no trial is complete yet{first_error(ledger.results.values())}", err=True)

    _observe(bootstrap, timeout, show)


@app.command()
def cancel(study: Study, bootstrap: Bootstraps = None, timeout: Timeout = 15.0) -> None:
    """End a study now. Its results so far are kept."""

    async def show(_: Host, studies: Studies) -> None:
        driver, was_over = await cancel_study(studies, study, timeout)
        spec, number = driver.machine.spec, len(driver.machine.ledger.results)
        how = "was over already" if was_over else "cancelled"
        typer.echo(f"{spec.name} ({spec.id[:ID_LENGTH]}) {how}, {number} results")

    _observe(bootstrap, timeout, show)


def main() -> int:
    """Run the command line."""
    return run_command(app, "python -m swarm.search")


# -- what commands share


def _run_peer(peer: SearchPeer, action: Action) -> None:
    trio.run(run_until_signal, lambda: peer.run(action), peer.leave)


def _run_until_over(peer: SearchPeer, read: Callable[[Host], Awaitable[StudySpec]]) -> None:
    """Take part in one study until it is over or the user leaves, and print its outcome."""
    drivers: list[StudyDriver] = []

    async def run_it(host: Host, studies: Studies) -> None:
        def note_start(driver: StudyDriver) -> None:
            drivers.append(driver)
            _print_start(host, peer.settings, driver)

        spec = await read(host)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(warn_while_nobody_answers, host)
            await run_study(studies, spec, note_start)
            nursery.cancel_scope.cancel()

    _run_peer(peer, run_it)
    if not drivers:  # the user left before it began
        raise typer.Exit(EXIT_INTERRUPTED)
    machine = drivers[0].machine
    folder = peer.settings.folder_of(machine.spec.id)
    if machine.closed:
        raise typer.Exit(print_outcome(machine.ledger, folder, work_in_words(machine)))
    raise typer.Exit(print_left(machine.ledger, resume_command(folder, peer.settings)))


def _observe(bootstrap: list[str] | None, timeout_s: float, action: Action) -> None:
    """Join a swarm without working and without keeping files, for one action."""
    if not bootstrap:
        raise ConfigurationError("--bootstrap must name a peer of the swarm, as ip:port")
    if not timeout_s > 0:  # nor is nan
        raise ConfigurationError(f"--timeout must be more than 0 seconds, got {timeout_s:g}")
    configure_logs("warning", "text")
    ends: list[bool] = []

    async def observe(host: Host, studies: Studies) -> None:
        await action(host, studies)
        ends.append(True)

    with tempfile.TemporaryDirectory(prefix="swarm-search-") as folder:
        settings = replace(_settings(bootstrap, Path(folder)), looks=True)
        _run_peer(SearchPeer(settings), observe)
    if not ends:
        raise typer.Exit(EXIT_INTERRUPTED)


def _settings(  # noqa: PLR0913, PLR0917 (one for each flag)
    bootstrap: list[str] | None,
    state: Path | None,
    ip: str = "127.0.0.1",
    port: int = 0,
    slots: int = 0,
    data_dir: Path | None = None,
    allow_code: bool = False,
) -> SearchSettings:
    folder = state or DEFAULT_STATE / "search"
    addresses = parse_bootstraps(bootstrap)
    return SearchSettings(
        ip, port, folder, addresses, data_dir, slots=slots, allow_code=allow_code
    )


def _read_document(path: Path) -> dict[str, Any]:
    kind, parse = ("JSON", json.loads) if path.suffix.lower() == ".json" else _TOML
    try:
        document = parse(decode_text(path.read_bytes()))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not valid {kind}: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} must contain one table with the study's fields")
    return document


def _print_start(host: Host, settings: SearchSettings, driver: StudyDriver) -> None:
    spec = driver.machine.spec
    folder = settings.folder_of(spec.id)
    print(f"Study {spec.name} ({spec.id[:16]}), kept in {folder}", file=sys.stderr, flush=True)
    if driver.machine.closed:
        print_was_over()
        return
    print_study_hints(host, settings.slots)
