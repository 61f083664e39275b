"""The application that all commands of `python -m swarm.ensemble` belong to, and shared options.

A module of commands adds its own with `@app.command()`; `commands` imports the module.
"""

from pathlib import Path
from typing import Annotated

import typer

from swarm.peer.host.logs import FORMATS, LEVELS

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Bootstraps = Annotated[
    list[str] | None,
    typer.Option(
        "--bootstrap",
        help="A peer to join: ip:port, host:port or a multiaddr. May be repeated.",
    ),
]
EnsembleName = Annotated[
    str,
    typer.Option(
        "--ensemble",
        help="Name of the ensemble, or the beginning of its id. Optional if there is only one.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option(
        help="Folder for identity, models and rows.  [default: in the user's state folder]"
    ),
]
AllowCode = Annotated[
    bool,
    typer.Option(help="Let learners that are code (module:Class) run here."),
]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for the answers of peers.", min=0)]
LogLevel = Annotated[str, typer.Option(help=f"One of {', '.join(LEVELS)}.")]
LogFormat = Annotated[str, typer.Option(help=f"One of {', '.join(FORMATS)}.")]


@app.callback()
def describe() -> None:
    """Ask one peer, get every peer's answer. Begin with `serve`."""
