"""`python -m swarm.search`: submit studies, work for them, see what they found."""

import json
import sys
import tempfile
import tomllib
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import trio
import typer

from swarm.core.errors import ConfigurationError, SwarmError
from swarm.network.addresses import parse_bootstrap
from swarm.peer.host.command_line import run_command, run_until_signal
from swarm.peer.host.host import Host
from swarm.peer.host.logs import FORMATS, LEVELS, configure_logs
from swarm.peer.search.broker_commands import run_with_broker, work_with_broker
from swarm.peer.search.brokers.collector import IN_FLIGHT
from swarm.peer.search.closing_report import (
    EXIT_INTERRUPTED,
    first_error,
    resume_command,
    tell_end,
    tell_left,
    tell_was_over,
)
from swarm.peer.search.idle_messages import (
    tell_what_a_study_waits_for,
    tell_what_a_worker_waits_for,
    warn_if_nobody_answers,
)
from swarm.peer.search.ledger_file import read_ledger
from swarm.peer.search.overview import ID_LENGTH, show_studies, study_row
from swarm.peer.search.results_commands import app
from swarm.peer.search.search_peer import SearchPeer
from swarm.peer.search.search_settings import STUDIES_FOLDER, SearchSettings
from swarm.peer.search.studies import Studies
from swarm.peer.search.study_driver import StudyDriver
from swarm.peer.search.study_progress import work_in_words
from swarm.peer.search.study_runs import (
    cancel_study,
    read_study,
    run_study,
    wait_studies,
    wait_study,
)
from swarm.search.study import StudySpec

Bootstraps = Annotated[
    list[str] | None,
    typer.Option("--bootstrap", help="A peer to join: ip:port, host:port or a multiaddr."),
]
Ip = Annotated[str, typer.Option(help="Address to listen on, as in 0.0.0.0.")]
Port = Annotated[int, typer.Option(help="TCP port to listen on; 0 takes a free one.")]
State = Annotated[
    Path | None, typer.Option(help="Folder for identity, studies and their ledgers.")
]
Slots = Annotated[int, typer.Option(help="Trials executed at once; 0 only hands them out.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder that may hold cifar-10-batches-bin/.", envvar="SWARM_DATA_DIR"),
]
AllowCode = Annotated[
    bool,
    typer.Option(
        help="Let what a study names as module:Class (strategies) or module:function (models) run "
        "here, from packages of this machine."
    ),
]
LogLevel = Annotated[str, typer.Option(help=f"One of {', '.join(LEVELS)}.")]
LogFormat = Annotated[str, typer.Option(help=f"One of {', '.join(FORMATS)}.")]
Study = Annotated[str, typer.Argument(help="A study's name, or how its id begins.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for an answer.")]
Broker = Annotated[
    str | None,
    typer.Option(
        help="Through a broker instead of peers: amqp://user:password@host:port or kafka://...",
        envvar="SWARM_BROKER",
    ),
]
_TOML: tuple[str, Callable[[str], Any]] = ("TOML", tomllib.loads)
Use = Callable[[Host, Studies], Awaitable[None]]


@app.command()
def run(  # noqa: PLR0913, PLR0917 (one for each flag)
    study: Annotated[Path, typer.Argument(help="The study: a TOML or JSON file.")],
    bootstrap: Bootstraps = None,
    ip: Ip = "127.0.0.1",
    port: Port = 0,
    slots: Slots = 1,
    state: State = None,
    data_dir: DataDir = None,
    allow_code: AllowCode = False,
    broker: Broker = None,
    in_flight: Annotated[
        int, typer.Option(help="With --broker: trials asked for and not yet answered.", min=1)
    ] = IN_FLIGHT,
    log_level: LogLevel = "warning",
    log_format: LogFormat = "text",
) -> None:
    """Submit a study, work for it, and show the best when it is over.

    Without --bootstrap this peer starts a swarm, and prints how others join it. Ctrl-C leaves the
    study to the others, and `resume` goes on with it.
    """
    document = _read_document(study)
    settings = _settings(ip, port, bootstrap, slots, state, data_dir, allow_code)
    configure_logs(log_level, log_format)
    if broker is not None:
        run_with_broker(document, study.parent, broker, in_flight, settings)
        return
    peer = SearchPeer(settings)

    async def find(host: Host) -> StudySpec:
        return await read_study(document, study.parent, host, allow_code=allow_code)

    _work_on(peer, find)


@app.command()
def resume(  # noqa: PLR0913, PLR0917 (one for each flag)
    folder: Annotated[Path, typer.Argument(help="Folder of a study, as `run` names it.")],
    bootstrap: Bootstraps = None,
    ip: Ip = "127.0.0.1",
    port: Port = 0,
    slots: Slots = 1,
    data_dir: DataDir = None,
    allow_code: AllowCode = False,
    log_level: LogLevel = "warning",
    log_format: LogFormat = "text",
) -> None:
    """Go on with a study that was left, with all its results so far."""
    ledger = read_ledger(folder)
    if folder.absolute().parent.name != STUDIES_FOLDER:
        raise ConfigurationError(f"{folder} must lie in the {STUDIES_FOLDER} of a state folder")
    state = folder.absolute().parent.parent
    settings = _settings(ip, port, bootstrap, slots, state, data_dir, allow_code)
    configure_logs(log_level, log_format)

    async def find(_: Host) -> StudySpec:
        await trio.lowlevel.checkpoint()
        return ledger.spec

    _work_on(SearchPeer(settings), find)


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
        typer.Option(help="With --broker: take this model's trials only; may be repeated."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="With --broker: the file that a study of a file is of.")
    ] = None,
    log_level: LogLevel = "info",
    log_format: LogFormat = "text",
) -> None:
    """Work for every study that is offered, one after the other, until Ctrl-C."""
    settings = _settings(ip, port, bootstrap, slots, state, data_dir, allow_code)
    configure_logs(log_level, log_format)
    if broker is not None:
        work_with_broker(broker, slots, model, data, settings)
        return
    if model or data:
        raise ConfigurationError("--model and --data go with --broker; peers send what they need")

    peer = SearchPeer(settings)

    async def use(host: Host, _studies: Studies) -> None:
        tell_what_a_worker_waits_for(host, slots)
        await warn_if_nobody_answers(host)
        await trio.sleep_forever()

    _live(peer, use)


@app.command()
def status(
    bootstrap: Bootstraps = None,
    timeout: Timeout = 5.0,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Which studies there are, how far they are and what was best so far."""

    async def use(host: Host, studies: Studies) -> None:
        found = await wait_studies(studies, timeout)
        if not found:
            if not host.met.is_set():
                raise SwarmError(f"nobody answered at {host.bootstraps} within {timeout:g} s")
            typer.echo(f"no study was offered within {timeout:g} s", err=True)
            return
        rows = [study_row(one.machine, is_read=one.is_read) for one in found]
        show_studies(rows, json_lines=json_lines)

    _look_on(bootstrap, timeout, use)


@app.command()
def best(
    study: Annotated[
        str, typer.Argument(help="Name or beginning of the id; may be empty if there is only one.")
    ] = "",
    bootstrap: Bootstraps = None,
    timeout: Timeout = 15.0,
) -> None:
    """The best trial of a study so far, as JSON."""

    async def use(_: Host, studies: Studies) -> None:
        driver = await wait_study(studies, study, timeout)
        ledger = driver.machine.ledger
        typer.echo(json.dumps(study_row(driver.machine)["best"], indent=2))
        if ledger.best is None:
            typer.echo(f"no complete trial yet{first_error(ledger.results.values())}", err=True)

    _look_on(bootstrap, timeout, use)


@app.command()
def cancel(study: Study, bootstrap: Bootstraps = None, timeout: Timeout = 15.0) -> None:
    """End a study now; the results so far stay."""

    async def use(_: Host, studies: Studies) -> None:
        driver, was_over = await cancel_study(studies, study, timeout)
        spec, number = driver.machine.spec, len(driver.machine.ledger.results)
        how = "was over already" if was_over else "ended"
        typer.echo(f"{spec.name} ({spec.id[:ID_LENGTH]}) {how}, {number} results")

    _look_on(bootstrap, timeout, use)


def main() -> int:
    """Run the command line."""
    return run_command(app, "python -m swarm.search")


# -- what commands share


def _live(peer: SearchPeer, use: Use) -> None:
    trio.run(run_until_signal, lambda: peer.run(use), peer.leave)


def _work_on(peer: SearchPeer, find: Callable[[Host], Awaitable[StudySpec]]) -> None:
    """Take part in one study until it is over or the user leaves, and say what came of it."""
    drivers: list[StudyDriver] = []

    async def use(host: Host, studies: Studies) -> None:
        def announce(driver: StudyDriver) -> None:
            drivers.append(driver)
            _announce(host, peer.settings, driver)

        spec = await find(host)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(warn_if_nobody_answers, host)
            await run_study(studies, spec, announce)
            nursery.cancel_scope.cancel()

    _live(peer, use)
    if not drivers:  # the user left before it began
        raise typer.Exit(EXIT_INTERRUPTED)
    machine = drivers[0].machine
    folder = peer.settings.folder_of(machine.spec.id)
    if machine.closed:
        raise typer.Exit(tell_end(machine.ledger, folder, work_in_words(machine)))
    raise typer.Exit(tell_left(machine.ledger, resume_command(folder, peer.settings)))


def _look_on(
    bootstrap: list[str] | None,
    timeout_s: float,
    use: Use,
) -> None:
    """Join without working, and without leaving anything behind."""
    if not bootstrap:
        raise ConfigurationError("--bootstrap must name a peer that searches, as ip:port")
    if not timeout_s > 0:  # nor is nan
        raise ConfigurationError(f"--timeout must be more than 0 seconds, got {timeout_s:g}")
    configure_logs("warning", "text")
    ends: list[bool] = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="swarm-search-"))
        settings = _settings("127.0.0.1", 0, bootstrap, 0, Path(folder), None, False)
        peer = SearchPeer(settings)

        async def look(host: Host, studies: Studies) -> None:
            await use(host, studies)
            ends.append(True)

        _live(peer, look)
    if not ends:
        raise typer.Exit(EXIT_INTERRUPTED)


def _settings(  # noqa: PLR0913, PLR0917 (one for each flag)
    ip: str,
    port: int,
    bootstrap: list[str] | None,
    slots: int,
    state: Path | None,
    data_dir: Path | None,
    allow_code: bool,
) -> SearchSettings:
    dirs = platformdirs.PlatformDirs("swarm", appauthor=False)
    return SearchSettings(
        ip=ip,
        port=port,
        state_dir=state or Path(dirs.user_state_dir) / "search",
        bootstraps=tuple(parse_bootstrap(text) for text in bootstrap or ()),
        slots=slots,
        data_dir=data_dir,
        cache_dir=Path(dirs.user_cache_dir),
        allow_code=allow_code,
    )


def _read_document(path: Path) -> dict[str, Any]:
    kind, parse = ("JSON", json.loads) if path.suffix.lower() == ".json" else _TOML
    try:
        document = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not valid {kind}: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} must hold one table with the study's fields")
    return document


def _announce(host: Host, settings: SearchSettings, driver: StudyDriver) -> None:
    spec = driver.machine.spec
    folder = settings.folder_of(spec.id)
    print(f"Study {spec.name} ({spec.id[:16]}), kept in {folder}", file=sys.stderr, flush=True)
    if driver.machine.closed:
        tell_was_over()
        return
    tell_what_a_study_waits_for(host, settings.slots)
