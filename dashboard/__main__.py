"""`python -m dashboard --bootstrap <ip:port>`: watch a swarm in a browser."""

import importlib
import os
import secrets
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from dashboard.config import DashboardConfig
from dashboard.server import serve
from dashboard.watching.snapshot_source import SnapshotSource
from swarm.core.errors import ConfigurationError
from swarm.core.text import decode_text
from swarm.peer.host.command_line import run_command
from swarm.peer.host.logs import configure_logs

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_DEFAULTS = DashboardConfig()


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def main(  # noqa: PLR0913, PLR0917 - one parameter per flag is how typer declares a command line
    bootstrap: Annotated[
        list[str],
        typer.Option(
            help="A peer of the swarm: ip:port, host:port or a multiaddr. Repeatable.",
            envvar="SWARM_BOOTSTRAP",
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Address to serve the page on.", envvar="SWARM_DASHBOARD_HOST")
    ] = _DEFAULTS.host,
    port: Annotated[
        int,
        typer.Option(
            help="Port to serve the page on; 0 takes a free port.", envvar="SWARM_DASHBOARD_PORT"
        ),
    ] = _DEFAULTS.port,
    allow_remote: Annotated[
        bool,
        typer.Option(
            "--allow-remote",
            help="Show the page without the token to everyone who can reach --host.",
        ),
    ] = _DEFAULTS.allow_remote,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Another host name under which browsers may open the page. Repeatable."),
    ] = None,
    clients_max: Annotated[
        int, typer.Option(help="Highest number of browsers to serve at the same time.")
    ] = _DEFAULTS.clients_max,
    listen_ip: Annotated[
        str, typer.Option(help="Address on which the peer of the dashboard listens.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the token. Operators sign in with it; if other machines can reach"
            " --host, all users do. Or set SWARM_DASHBOARD_TOKEN to the token itself.",
            envvar="SWARM_DASHBOARD_TOKEN_FILE",
        ),
    ] = None,
    operator_key: Annotated[
        Path | None,
        typer.Option(
            help="Allow commands, signed with the key in this folder. A missing key is created.",
            envvar="SWARM_OPERATOR_KEY",
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="Serve over TLS with this certificate (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Key of the certificate (PEM).")] = None,
    behind_tls_proxy: Annotated[
        bool,
        typer.Option(
            "--behind-tls-proxy",
            help="A proxy in front speaks TLS; trust its X-Forwarded-For.",
        ),
    ] = False,
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            help="Write accuracy and loss of each round to this folder, for TensorBoard.",
            envvar="SWARM_TENSORBOARD",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Folder of this peer's identity, so that members with --ask-from can name it."
            " Without it, the identity is new at each start.",
            envvar="SWARM_DASHBOARD_STATE",
        ),
    ] = None,
    log_level: Annotated[
        str, typer.Option(help="debug, info, warning or error.", envvar="SWARM_LOG_LEVEL")
    ] = "error",
) -> int:
    """Show a swarm in the browser. With --operator-key, also give commands to it."""
    configure_logs(log_level, "text")
    given_token = _read_token(token_file)
    new_token = secrets.token_urlsafe(24) if operator_key and not given_token else ""
    config = DashboardConfig(
        host=host,
        port=port,
        allow_remote=allow_remote,
        allowed_hosts=tuple(allow_host or ()),
        clients_max=clients_max,
        token=given_token or new_token,
        tls_cert=tls_cert,
        tls_key=tls_key,
        behind_tls_proxy=behind_tls_proxy,
        tensorboard=tensorboard,
    )

    def make_source() -> SnapshotSource:
        # Imported here: only the process that watches loads libp2p.
        observer = importlib.import_module("swarm.peer.observer.observer").Observer(
            bootstrap, listen_ip, operator_key, state
        )
        # The snapshots of an observer follow the types in `snapshot_types` without declaring it.
        return cast(SnapshotSource, observer)

    return serve(make_source, config, (f"Token: {new_token}",) if new_token else ())


def _read_token(file: Path | None) -> str:
    """Return the token from the file or the environment; empty if there is none."""
    if file is None:
        return os.environ.get("SWARM_DASHBOARD_TOKEN", "").strip()
    try:
        token = decode_text(file.read_bytes()).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the token in {file}: {error}") from error
    if not token:
        raise ConfigurationError(f"{file} is empty: it must hold a token of 16 characters or more")
    return token


if __name__ == "__main__":
    sys.exit(run_command(app, "python -m dashboard"))
