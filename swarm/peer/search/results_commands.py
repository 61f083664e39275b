"""Commands that show what can be searched (models) and what was found (results, plot, ...).

`python -m swarm.search` adds its other commands to `app`. These commands read the folders of
studies, whether or not a study is over.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from swarm.core.errors import ConfigurationError, StorageError
from swarm.learning.estimators import FAMILIES, find_family
from swarm.peer.search.ledger_file import read_ledger
from swarm.peer.search.results.comparison import BestOfModel, compare, plot_comparison
from swarm.peer.search.results.optuna_study import export as export_study
from swarm.peer.search.results.pages import write_pages
from swarm.peer.search.results.plots import plot_all
from swarm.peer.search.results.tables import results_csv, results_json_lines
from swarm.peer.search.study_text import params_in_words

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Search hyperparameters with many machines, without a server. Begin with `run`.",
)

Folder = Annotated[Path, typer.Argument(help="Folder of the study, as `run` printed it.")]


@app.command()
def models(
    names: Annotated[
        list[str] | None, typer.Argument(help="Show only these models.  [default: all]")
    ] = None,
) -> None:
    """List the models and their hyperparameters. Shows the allowed values of each."""
    for family in [find_family(name) for name in names] if names else FAMILIES.values():
        typer.echo(f"{family.name}  ({', '.join(family.kinds)})")
        for hyperparameter in family.hyperparameters:
            rule = str(hyperparameter.fault(None)).removeprefix("must be ")
            typer.echo(f"    {hyperparameter.name:20} {rule}")


@app.command()
def results(
    folder: Folder,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per result, with curves.")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="Write to this file, not to stdout.")] = None,
) -> None:
    """Print all results of a study, as CSV or JSON lines."""
    if csv == json_lines:
        raise ConfigurationError("choose one format: --csv or --json")
    ledger = read_ledger(folder)
    write = results_csv if csv else results_json_lines
    text = write(ledger)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text)
    except OSError as error:
        raise StorageError(f"cannot write {output}: {error}") from error
    typer.echo(f"{len(ledger.results)} results written to {output}")


@app.command()
def plot(
    folder: Folder,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the plots.  [default: FOLDER/plots]")
    ] = None,
    html: Annotated[
        bool,
        typer.Option("--html", help="Write HTML pages to zoom and hover over."),
    ] = False,
) -> None:
    """Plot a study. Draws history, curves, and importance and parallel coordinates per model."""
    write = write_pages if html else plot_all
    for path in write(read_ledger(folder), output or folder / "plots"):
        typer.echo(path)


@app.command()
def export(
    folder: Folder,
    storage: Annotated[
        str, typer.Argument(help="Optuna storage, as in sqlite:///study.db; created if missing.")
    ],
    study_name: Annotated[
        str | None, typer.Option(help="Name in the storage.  [default: the study's name]")
    ] = None,
) -> None:
    """Write a study to an Optuna storage. optuna-dashboard and Optuna's tools can read it."""
    ledger = read_ledger(folder)
    name = study_name or ledger.spec.name
    export_study(ledger, storage, name)
    typer.echo(f"{len(ledger.results)} trials written as study {name!r}. To see them, run:")
    typer.echo(f"  optuna-dashboard {storage}")


@app.command()
def evaluate(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of studies with the same objective.")
    ],
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per model, best first.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Also write a comparison to this PNG file.")
    ] = None,
) -> None:
    """Compare models and studies. Shows the best trial of each, and how fast it was found."""
    ledgers = [read_ledger(folder) for folder in folders]
    rows = compare(ledgers)
    if json_lines:
        for row in rows:
            typer.echo(json.dumps(asdict(row)))
    else:
        Console().print(_table(rows))
        for row in rows:
            typer.echo(f"{row.model} {row.number}: {params_in_words(row.params)}")
    if output is not None:
        path = plot_comparison(ledgers, output)
        typer.echo(f"plotted to {path}", err=json_lines)


def _table(rows: list[BestOfModel]) -> Table:
    several = len({row.study for row in rows}) > 1
    table = Table(title=f"Best {rows[0].objective} of each model")
    for heading in (*(["study"] if several else []), "model", "best", "trial", "done", "time"):
        table.add_column(heading, justify="left" if heading in ("study", "model") else "right")
    for row in rows:
        deviation = "" if row.deviation is None else f" ± {row.deviation:.4f}"
        done = f"{row.num_complete}"
        for count, word in ((row.num_pruned, "pruned"), (row.num_failed, "failed")):
            done += f", {count} {word}" if count else ""
        cells = (row.model, f"{row.value:.4f}{deviation}", f"{row.number}", done)
        table.add_row(*([row.study] if several else []), *cells, f"{row.total_s:.1f} s")
    return table
