"""Studies as the commands `status` and `best` show them."""

import json
import math
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from swarm.peer.search.study_text import params_in_words
from swarm.search.search import Search

ID_LENGTH = 16
"""Characters of an id that are shown; the name of a study's folder has as many."""


def study_row(machine: Search, *, is_read: bool = True) -> dict[str, Any]:
    """A study as JSON; if it is not read whole yet, it may have more results than this."""
    ledger = machine.ledger
    result = ledger.best
    found: dict[str, Any] | None = None
    if result is not None:
        trial = ledger.trials[result.trial]
        found = {
            "trial": trial.number,
            "model": trial.model,
            "params": trial.values,
            "value": result.value,
            "fold_values": list(result.fold_values),
            "duration_s": result.duration_s,
            "peer": result.peer,
        }
    elapsed_s = machine.elapsed_s
    return {
        "study": machine.spec.name,
        "id": machine.spec.id,
        "state": ledger.closed.reason if ledger.closed is not None else "running",
        "error": ledger.closed.error if ledger.closed is not None else "",
        "complete": is_read,
        "objective": machine.spec.objective,
        "trials": len(ledger.trials),
        "results": len(ledger.results),
        "num_trials": machine.spec.num_trials,
        "peers": len(machine.workers),
        "elapsed_s": round(elapsed_s, 1) if math.isfinite(elapsed_s) else None,
        "best": found,
    }


def show_studies(rows: list[dict[str, Any]], *, json_lines: bool) -> None:
    """Print rows of `study_row`: as lines of JSON, or as a table and the best trial of each."""
    if json_lines:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    Console().print(studies_table(rows))
    for row in rows:
        found = row["best"]
        if found is not None:
            what = f"{row['study']} ({row['id'][:ID_LENGTH]})"
            params = params_in_words(found["params"])
            value = f"{row['objective']} {found['value']:.4f}"
            typer.echo(f"{what}: best {value} ({found['model']} {params})")


def studies_table(rows: list[dict[str, Any]]) -> Table:
    """A table for 80 columns; its ids are long enough for other commands."""
    table = Table()
    table.add_column("study", overflow="ellipsis", no_wrap=True)
    table.add_column("id", min_width=ID_LENGTH, no_wrap=True)
    table.add_column("state", min_width=len("still reading"), no_wrap=True)
    table.add_column("results", justify="right", no_wrap=True)
    table.add_column("peers", justify="right", no_wrap=True)
    table.add_column("best", justify="right", no_wrap=True)
    for row in rows:
        found = row["best"]
        table.add_row(
            Text(row["study"]),  # a name from another peer is no markup
            row["id"][:ID_LENGTH],
            row["state"] if row["complete"] else "still reading",
            f"{row['results']}/{row['num_trials'] or '?'}",
            str(row["peers"]),
            f"{found['value']:.4f}" if found else "",
        )
    return table
