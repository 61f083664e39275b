"""The commands that ask an ensemble: predict, status, matrix, distill."""

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer

from swarm.peer.ensemble.command_app import Bootstraps, EnsembleName, LogLevel, Timeout, app
from swarm.peer.host.logs import configure_logs

WITHIN_S = 60.0
Rows = Annotated[
    Path,
    typer.Option(
        "--csv",
        help="File of rows to ask about: CSV, Excel, Parquet, or .npz for arrays. The target may "
        "be in it; it is not sent.",
    ),
]
Coverage = Annotated[
    float, typer.Option(help="Share of rows whose truth the interval or set is to contain.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Ip = Annotated[str, typer.Option(help="Address to listen on, as in 0.0.0.0.")]
Identity = Annotated[
    Path | None,
    typer.Option(
        "--state",
        help="Folder of this asker's identity, for members that answer only askers they know.  "
        "[default: a new identity each time]",
    ),
]


@app.command()
def predict(  # noqa: PLR0913, PLR0917 (one for each flag)
    rows: Rows,
    bootstraps: Bootstraps = None,
    output: Annotated[
        Path | None, typer.Option(help="Write all answers to this CSV file.")
    ] = None,
    ensemble: EnsembleName = "",
    coverage: Coverage = 0.9,
    detail: Annotated[
        bool, typer.Option("--detail", help="Also give each member's own answer.")
    ] = False,
    as_json: Json = False,
    state: Identity = None,
    ip: Ip = "127.0.0.1",
    timeout: Timeout = WITHIN_S,
    log_level: LogLevel = "warning",
) -> None:
    """Ask all members about rows. Prints the combined answers, or writes them to a file."""
    configure_logs(log_level, "text")
    joining = _tasks().Joining(bootstraps, ensemble, state, ip, timeout)
    _tasks().predict_rows(joining, rows, output, coverage, detail=detail, as_json=as_json)


@app.command()
def status(
    bootstraps: Bootstraps = None,
    ensemble: EnsembleName = "",
    as_json: Json = False,
    ip: Ip = "127.0.0.1",
    timeout: Timeout = WITHIN_S,
    log_level: LogLevel = "warning",
) -> None:
    """Show the members: version, rows, time of training, skill, drift, challenger."""
    configure_logs(log_level, "text")
    joining = _tasks().Joining(bootstraps, ensemble, None, ip, timeout)
    _tasks().show_status(joining, as_json=as_json)


@app.command()
def matrix(
    bootstraps: Bootstraps = None,
    ensemble: EnsembleName = "",
    as_json: Json = False,
    ip: Ip = "127.0.0.1",
    timeout: Timeout = WITHIN_S,
    log_level: LogLevel = "warning",
) -> None:
    """Show the cross-validation matrix: each model's score on each member's own rows."""
    configure_logs(log_level, "text")
    joining = _tasks().Joining(bootstraps, ensemble, None, ip, timeout)
    _tasks().show_matrix(joining, as_json=as_json)


@app.command()
def distill(  # noqa: PLR0913, PLR0917 (one for each flag)
    rows: Rows,
    output: Annotated[Path, typer.Option(help="The file to write, as in model.skops.")],
    bootstraps: Bootstraps = None,
    learner: Annotated[
        str, typer.Option(help="The learner to train, as in gbr, forest or mlp.")
    ] = "gbr",
    ensemble: EnsembleName = "",
    state: Identity = None,
    ip: Ip = "127.0.0.1",
    timeout: Timeout = WITHIN_S,
    log_level: LogLevel = "warning",
) -> None:
    """Train one model on the ensemble's answers to rows. It is written to one file."""
    configure_logs(log_level, "text")
    joining = _tasks().Joining(bootstraps, ensemble, state, ip, timeout)
    _tasks().distill_rows(joining, rows, output, learner)


def _tasks() -> Any:
    """Imported late: `--help` and wrong flags answer without loading libp2p."""
    return importlib.import_module("swarm.peer.ensemble.asking_tasks")
