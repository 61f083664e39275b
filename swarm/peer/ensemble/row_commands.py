"""Commands for rows and models of a member: add, fit, promote, rollback, audit."""

import importlib
import json
from pathlib import Path
from typing import Annotated, Any

import trio
import typer
from rich.console import Console
from rich.table import Table

from swarm.core.errors import ConfigurationError
from swarm.peer.ensemble.audit_log import AUDIT_LOG, read_totals
from swarm.peer.ensemble.command_app import Bootstraps, EnsembleName, State, app
from swarm.peer.ensemble.local_member import LocalMember, find_local_member, wait_reply
from swarm.peer.ensemble.orders import FIT, PROMOTE, ROLLBACK, Order, leave_order, leave_rows
from swarm.peer.host.logs import configure_logs

REPLY_WITHIN_S = 60.0
FIT_WITHIN_S = 600.0
FIND_WITHIN_S = 60.0
ReplyTimeout = Annotated[
    float, typer.Option("--timeout", help="Seconds to wait for the member's reply.", min=0)
]


@app.command()
def add(
    files: Annotated[
        list[Path],
        typer.Argument(help="Labelled rows: CSV, Excel or Parquet; .npz if examples are arrays."),
    ],
    state: State = None,
    ensemble: EnsembleName = "",
    timeout: ReplyTimeout = REPLY_WITHIN_S,
) -> None:
    """Give rows to the member on this machine. It refits when they are many or drift."""
    member = find_local_member(state, ensemble)
    for path in files:
        _wait(member, leave_rows(member.inbox, path), timeout)


@app.command()
def fit(
    bootstraps: Bootstraps = None,
    state: State = None,
    ensemble: EnsembleName = "",
    here: Annotated[
        bool, typer.Option("--here", help="Only the member on this machine fits.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(help="Seconds to wait for a reply, or for the fits.", min=0),
    ] = FIT_WITHIN_S,
) -> None:
    """Have all members fit a new model now, each on its own rows.

    Without --bootstrap, the member on this machine passes the order on.
    """
    if bootstraps:
        if here or state is not None:
            raise ConfigurationError("--bootstrap orders all: leave out --here and --state")
        configure_logs("warning", "text")
        # Imported late: `--help` and wrong flags answer without loading libp2p.
        tasks: Any = importlib.import_module("swarm.peer.ensemble.asking_tasks")
        joining = tasks.Joining(bootstraps, ensemble, None, "127.0.0.1", FIND_WITHIN_S)
        tasks.fit_everyone(joining, timeout)
        return
    _order(Order(FIT, everyone=not here), state, ensemble, timeout)


@app.command()
def promote(
    state: State = None, ensemble: EnsembleName = "", timeout: ReplyTimeout = REPLY_WITHIN_S
) -> None:
    """Have the member's challenger answer from now on."""
    _order(Order(PROMOTE), state, ensemble, timeout)


@app.command()
def rollback(
    state: State = None, ensemble: EnsembleName = "", timeout: ReplyTimeout = REPLY_WITHIN_S
) -> None:
    """Have the member's previous model answer again."""
    _order(Order(ROLLBACK), state, ensemble, timeout)


def _order(order: Order, state: Path | None, ensemble: str, timeout_s: float) -> None:
    member = find_local_member(state, ensemble)
    _wait(member, leave_order(member.inbox, order), timeout_s)


def _wait(member: LocalMember, name: str, timeout_s: float) -> None:
    reply = trio.run(wait_reply, member, name, timeout_s)
    if not reply.accepted:
        raise ConfigurationError(f"refused: {reply.text}")
    typer.echo(f"accepted: {reply.text}")


@app.command()
def audit(
    state: State = None,
    ensemble: EnsembleName = "",
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show which peers asked the member on this machine, and for how many rows."""
    member = find_local_member(state, ensemble, running=False)
    totals = read_totals(member.path / AUDIT_LOG)
    if json_output:
        plain = [{name: getattr(one, name) for name in one.__slots__} for one in totals]
        typer.echo(json.dumps(plain, indent=2))
        return
    table = Table(title=f"{member.name}: questions to the member in {member.state_dir}")
    table.add_column("asker", overflow="fold")  # whole: --ask-from takes it
    for heading in ("questions", "rows answered", "refused"):
        table.add_column(heading, justify="right")
    table.add_column("last (UTC)", no_wrap=True)
    for one in totals:
        counts = (one.num_questions, one.num_rows, one.num_refused)
        table.add_row(one.asker, *(f"{count:,}" for count in counts), one.last[:16])
    Console().print(table)
