"""The commands that ask an ensemble: predict, status, matrix, distill."""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import trio
import typer
from rich.console import Console
from rich.text import Text

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.tables.reading import read_sheet
from swarm.peer.ensemble.asked_rows import AskedRows, read_arrays, read_rows
from swarm.peer.ensemble.asking import DEFAULT_COVERAGE, Asking, check_coverage
from swarm.peer.ensemble.asking_text import csv_text, show_origin, show_prediction
from swarm.peer.ensemble.command_app import (
    Bootstraps,
    EnsembleName,
    LogLevel,
    Timeout,
    app,
)
from swarm.peer.ensemble.open_asking import FIND_WITHIN_S, open_asker, wait_cards, wait_members
from swarm.peer.ensemble.overview import (
    matrix_table,
    members_table,
)
from swarm.peer.ensemble.prediction import SHORT_ID, Prediction
from swarm.peer.host.command_line import run_until_signal
from swarm.peer.host.host_settings import HostSettings, parse_bootstraps
from swarm.peer.host.logs import configure_logs
from swarm.peer.host.trio_thread import open_scratch
from swarm.peer.host.whole_files import write_whole

Rows = Annotated[
    Path,
    typer.Option(
        "--csv",
        help="File of rows to ask about: CSV, Excel, Parquet, or .npz for arrays. The target may "
        "be in it; it is not sent.",
    ),
]
Coverage = Annotated[
    float,
    typer.Option(help="Share of rows whose truth the interval or set is to contain."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
State = Annotated[
    Path | None,
    typer.Option(
        help="Folder of this asker's identity, for members that answer only askers they know.  "
        "[default: a new identity each time]"
    ),
]
Ip = Annotated[str, typer.Option(help="Address to listen on, as in 0.0.0.0.")]
EXIT_INTERRUPTED = 130
Ask = Callable[[Asking], Awaitable[None]]


@app.command()
def predict(  # noqa: PLR0913, PLR0917 - one parameter for each option
    rows: Rows,
    bootstraps: Bootstraps = None,
    output: Annotated[
        Path | None, typer.Option(help="Write all answers to this CSV file.")
    ] = None,
    ensemble: EnsembleName = "",
    coverage: Coverage = DEFAULT_COVERAGE,
    detail: Annotated[bool, typer.Option(help="Show each member's own answer, too.")] = False,
    as_json: Json = False,
    state: State = None,
    ip: Ip = "127.0.0.1",
    timeout: Timeout = FIND_WITHIN_S,
    log_level: LogLevel = "warning",
) -> None:
    """Ask all members about rows. Prints the combined answers, or writes them to a file."""
    check_coverage(coverage)
    asked = _read(rows)

    async def ask(asking: Asking) -> None:
        found = await asking.predict(asked(asking), coverage, detail=detail or not output)
        _show(found, output, as_json=as_json, detail=detail)

    with _settings(bootstraps, state, ip) as settings:
        _run(ask, settings, ensemble, timeout, log_level)


@app.command()
def status(
    bootstraps: Bootstraps = None,
    ensemble: EnsembleName = "",
    as_json: Json = False,
    ip: Ip = "127.0.0.1",
    timeout: Timeout = FIND_WITHIN_S,
    log_level: LogLevel = "warning",
) -> None:
    """Show the members: version, rows, time of training, skill, drift, challenger."""

    async def ask(asking: Asking) -> None:
        members = asking.members()
        if as_json:
            rows = [asdict(one) for one in members]
            found = {"ensemble": asking.spec.name, "id": asking.spec.id, "members": rows}
            typer.echo(json.dumps(found))
            return
        console = Console()
        console.print(members_table(asking.spec, members))
        for one in members:
            if one.detail:
                console.print(Text(f"{one.peer[-SHORT_ID:]}: {one.detail}"))

    with _settings(bootstraps, None, ip) as settings:
        _run(ask, settings, ensemble, timeout, log_level, needs_model=False)


@app.command()
def matrix(
    bootstraps: Bootstraps = None,
    ensemble: EnsembleName = "",
    as_json: Json = False,
    ip: Ip = "127.0.0.1",
    timeout: Timeout = FIND_WITHIN_S,
    log_level: LogLevel = "warning",
) -> None:
    """Show the cross-validation matrix: each model's score on each member's own rows."""

    async def ask(asking: Asking) -> None:
        found = asking.matrix()
        if as_json:
            typer.echo(json.dumps(found.as_json()))
            return
        console = Console()
        console.print(matrix_table(asking.spec, found))
        for cell in found.cells:
            if cell.refusal:
                pair = f"{cell.scorer[-SHORT_ID:]} did not score {cell.owner[-SHORT_ID:]}"
                console.print(Text(f"{pair}: {cell.refusal}"))

    with _settings(bootstraps, None, ip) as settings:
        _run(ask, settings, ensemble, timeout, log_level, needs_model=False)


@app.command()
def distill(  # noqa: PLR0913, PLR0917 - one parameter for each option
    rows: Rows,
    output: Annotated[
        Path,
        typer.Option(help="The file to write: .skops, or .keras for Keras models."),
    ],
    bootstraps: Bootstraps = None,
    learner: Annotated[
        str, typer.Option(help="The learner to train, as in gbr, forest or mlp.")
    ] = "gbr",
    ensemble: EnsembleName = "",
    state: State = None,
    ip: Ip = "127.0.0.1",
    timeout: Timeout = FIND_WITHIN_S,
    log_level: LogLevel = "warning",
) -> None:
    """Train one model on the ensemble's answers to rows. It is written to one file."""
    from swarm.peer.ensemble.distilling import Distillation  # noqa: PLC0415 - scikit-learn

    asked = _read(rows)

    async def ask(asking: Asking) -> None:
        distillation = Distillation(asking.spec, learner, output)
        found_rows = asked(asking)
        found = await asking.predict(found_rows)
        show_origin(found, Console(stderr=True))
        await trio.to_thread.run_sync(distillation.fit, found_rows, found)
        typer.echo(f"{learner} trained on {len(found):,} answers, written to {output}")

    with _settings(bootstraps, state, ip) as settings:
        _run(ask, settings, ensemble, timeout, log_level)


def _read(path: Path) -> Callable[[Asking], AskedRows]:
    """Read the file at once, before any peer is asked; the ensemble says what its rows mean."""
    if not path.is_file():
        raise DataError(f"{path} does not exist")
    source: Any = None if path.suffix.lower() == ".npz" else read_sheet(path)

    def of(asking: Asking) -> AskedRows:
        if asking.spec.input_shape:
            return read_arrays(path, asking.spec)
        return read_rows(read_sheet(path) if source is None else source, asking.spec)

    return of


def _show(found: Prediction, output: Path | None, *, as_json: bool, detail: bool) -> None:
    if output is not None:
        write_whole(output, csv_text(found).encode())
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return
    console = Console()
    if output is None:
        show_prediction(found, console)
        return
    show_origin(found, console)
    typer.echo(f"{len(found):,} answers written to {output}")


@contextmanager
def _settings(bootstraps: list[str] | None, state: Path | None, ip: str) -> Iterator[HostSettings]:
    addresses = parse_bootstraps(bootstraps)
    if not addresses:
        raise ConfigurationError(
            "--bootstrap must name a peer of the swarm, as in 192.168.1.5:4001; `serve` prints it"
        )
    with open_scratch("swarm-asker-") as scratch:
        folder = state if state is not None else Path(scratch)
        yield HostSettings(ip=ip, port=0, state_dir=folder, bootstraps=addresses)


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _run(
    ask: Ask,
    settings: HostSettings,
    ensemble: str,
    timeout_s: float,
    log_level: str,
    *,
    needs_model: bool = True,
) -> None:
    """Join, ask, leave; a signal ends it."""
    configure_logs(log_level, "text")
    scope = trio.CancelScope()

    async def run() -> None:
        with scope:
            async with open_asker(settings, ensemble, timeout_s) as asking:
                if needs_model:
                    await wait_members(asking, timeout_s, _say)
                else:
                    await wait_cards(asking, timeout_s)
                await ask(asking)

    trio.run(run_until_signal, run, scope.cancel)
    if scope.cancelled_caught:
        raise typer.Exit(EXIT_INTERRUPTED)
