"""What the commands that ask an ensemble do: join, ask, show, leave."""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import trio
import typer
from rich.console import Console
from rich.text import Text

from swarm.core.errors import ConfigurationError, DataError
from swarm.learning.tables.reading import read_sheet
from swarm.peer.ensemble.asked_rows import AskedRows, read_arrays, read_rows
from swarm.peer.ensemble.asking import Asking, check_coverage
from swarm.peer.ensemble.asking_text import csv_text, score_in_words, show_origin, show_prediction
from swarm.peer.ensemble.fit_orders import order_fit
from swarm.peer.ensemble.open_asking import open_asker, wait_cards, wait_members
from swarm.peer.ensemble.overview import matrix_table, members_table, remarks
from swarm.peer.ensemble.prediction import SHORT_ID, Prediction
from swarm.peer.host.command_line import run_until_signal
from swarm.peer.host.host_settings import HostSettings, parse_bootstraps
from swarm.peer.host.trio_thread import open_scratch
from swarm.peer.host.whole_files import write_whole

EXIT_INTERRUPTED = 130
Task = Callable[[Asking], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Joining:
    """Which ensemble a command joins, and how."""

    bootstraps: list[str] | None
    ensemble: str
    state: Path | None
    ip: str
    timeout_s: float


def predict_rows(
    joining: Joining,
    path: Path,
    output: Path | None,
    coverage: float,
    *,
    detail: bool,
    as_json: bool,
) -> None:
    """Ask about a file's rows; print the answers, or write them to a file."""
    check_coverage(coverage)
    rows_of = _read(path)

    async def task(asking: Asking) -> None:
        rows = rows_of(asking)
        found = await asking.predict(rows, coverage, detail=detail)
        _show(found, output, as_json=as_json)
        if rows.truth is not None and not as_json:
            typer.echo(score_in_words(asking.spec, found, rows.truth), nl=False)

    _run(task, joining)


def show_status(joining: Joining, *, as_json: bool) -> None:
    """Show the members."""

    async def task(asking: Asking) -> None:
        members = asking.members()
        if as_json:
            rows = [asdict(one) for one in members]
            found = {"ensemble": asking.spec.name, "id": asking.spec.id, "members": rows}
            typer.echo(json.dumps(found))
            return
        show_members(asking)

    _run(task, joining, needs_model=False)


def show_matrix(joining: Joining, *, as_json: bool) -> None:
    """Show the cross-validation matrix."""

    async def task(asking: Asking) -> None:
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

    _run(task, joining, needs_model=False)


def fit_everyone(joining: Joining, within_s: float) -> None:
    """Have all members fit, and show them when they have."""

    async def task(asking: Asking) -> None:
        names = ", ".join(card.sender[-SHORT_ID:] for card in asking.cards())
        _say(f"{len(asking.cards())} members fit now, each on its own rows: {names}")
        try:
            await order_fit(asking, within_s)
        except trio.TooSlowError:
            _say(f"Some members still fit after {within_s:g} s; they go on.")
        show_members(asking)

    _run(task, joining, needs_model=False)


def show_members(asking: Asking) -> None:
    """Print the table of members, and what they wait for."""
    console = Console()
    members = asking.members()
    console.print(members_table(asking.spec, members))
    for line in remarks(asking.spec, members):
        console.print(Text(line))


def distill_rows(joining: Joining, path: Path, output: Path, learner: str) -> None:
    """Train one model on the answers to a file's rows, and write it to a file."""
    # Imported here: it brings scikit-learn, which the other commands do not need.
    from swarm.peer.ensemble.distilling import Distillation  # noqa: PLC0415

    rows_of = _read(path)

    async def task(asking: Asking) -> None:
        distillation = Distillation(asking.spec, learner, output)
        rows = rows_of(asking)
        found = await asking.predict(rows)
        show_origin(found, Console())
        await trio.to_thread.run_sync(distillation.fit, rows, found)
        typer.echo(f"{learner} trained on {len(found):,} answers, written to {output}")

    _run(task, joining)


def _read(path: Path) -> Callable[[Asking], AskedRows]:
    """Read the file at once, before any peer is asked; the ensemble says what its rows mean."""
    if not path.is_file():
        raise ConfigurationError(f"{path} does not exist")
    source: Any = None
    if path.suffix.lower() != ".npz":
        with _as_user_mistake():
            source = read_sheet(path)

    def rows_of(asking: Asking) -> AskedRows:
        with _as_user_mistake():
            if asking.spec.input_shape:
                return read_arrays(path, asking.spec)
            return read_rows(read_sheet(path) if source is None else source, asking.spec)

    return rows_of


@contextmanager
def _as_user_mistake() -> Iterator[None]:
    """A file that cannot be asked about ends the command with exit code 2."""
    try:
        yield
    except DataError as error:
        raise ConfigurationError(str(error)) from error


def _show(found: Prediction, output: Path | None, *, as_json: bool) -> None:
    if output is not None:
        write_whole(output, csv_text(found).encode())
    console = Console()
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    elif output is None:
        show_prediction(found, console)
    else:
        show_origin(found, console)
        typer.echo(f"{len(found):,} answers written to {output}")


@contextmanager
def _settings(joining: Joining) -> Iterator[HostSettings]:
    addresses = parse_bootstraps(joining.bootstraps)
    if not addresses:
        raise ConfigurationError(
            "--bootstrap must name a peer of the swarm, as in 192.168.1.5:4001; `serve` prints it"
        )
    with open_scratch("swarm-asker-") as scratch:
        folder = joining.state if joining.state is not None else Path(scratch)
        yield HostSettings(ip=joining.ip, port=0, state_dir=folder, bootstraps=addresses)


def _run(task: Task, joining: Joining, *, needs_model: bool = True) -> None:
    """Join, ask, leave; a signal ends it."""
    scope = trio.CancelScope()

    async def run() -> None:
        with scope:
            async with open_asker(settings, joining.ensemble, joining.timeout_s) as asking:
                if needs_model:
                    await wait_members(asking, joining.timeout_s, _say)
                else:
                    await wait_cards(asking, joining.timeout_s)
                await task(asking)

    with _settings(joining) as settings:
        trio.run(run_until_signal, run, scope.cancel)
    if scope.cancelled_caught:
        raise typer.Exit(EXIT_INTERRUPTED)


def _say(line: str) -> None:
    typer.echo(line, err=True)
