"""`python -m dashboard --bootstrap <ip:port>`: watch a swarm in the browser."""

import importlib
import sys
from typing import Annotated, cast

import typer

from dashboard.config import DashboardConfig
from dashboard.server import serve
from dashboard.snapshot import SnapshotSource
from swarm.peer.command import run_command
from swarm.peer.logs import configure_logs

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_DEFAULTS = DashboardConfig()


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def main(  # noqa: PLR0913, PLR0917 - one parameter per flag is how typer declares a command line
    bootstrap: Annotated[
        list[str],
        typer.Option(
            help="A peer of the swarm: ip:port, host:port or a multiaddr; repeatable.",
            envvar="SWARM_BOOTSTRAP",
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Address the page is served on.", envvar="SWARM_DASHBOARD_HOST")
    ] = _DEFAULTS.host,
    port: Annotated[
        int,
        typer.Option(
            help="Port the page is served on; 0 takes a free one.", envvar="SWARM_DASHBOARD_PORT"
        ),
    ] = _DEFAULTS.port,
    allow_remote: Annotated[
        bool,
        typer.Option(
            "--allow-remote",
            help="Allow a --host that other machines can reach; the page asks for no password.",
        ),
    ] = _DEFAULTS.allow_remote,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Further name under which browsers may ask for the page; repeatable."),
    ] = None,
    clients_max: Annotated[
        int, typer.Option(help="Browsers served at once.")
    ] = _DEFAULTS.clients_max,
    listen_ip: Annotated[
        str, typer.Option(help="Address on which the dashboard's own peer listens.")
    ] = "127.0.0.1",
    log_level: Annotated[
        str, typer.Option(help="debug, info, warning or error.", envvar="SWARM_LOG_LEVEL")
    ] = "error",
) -> int:
    """Show a swarm in the browser: an observing peer, and a page that only watches."""
    configure_logs(log_level, "text")
    config = DashboardConfig(
        host=host,
        port=port,
        allow_remote=allow_remote,
        allowed_hosts=tuple(allow_host or ()),
        clients_max=clients_max,
    )

    def make_source() -> SnapshotSource:
        # Imported here: only the process that watches loads libp2p, and only what it needs of it.
        observer = importlib.import_module("swarm.peer.observer").Observer(bootstrap, listen_ip)
        # The picture an observer paints is the snapshot's schema; it is not declared there.
        return cast(SnapshotSource, observer)

    return serve(make_source, config)


if __name__ == "__main__":
    sys.exit(run_command(app, "python -m dashboard"))
