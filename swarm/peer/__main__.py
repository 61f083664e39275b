"""`python -m swarm.peer <ip> <port> [<bootstrap>...]`: the command line of one peer."""

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import trio
import typer

from swarm.core.errors import ConfigurationError
from swarm.network.addresses import parse_bootstrap
from swarm.peer.federation.peer_settings import (
    SESSION_FIELDS,
    PeerSettings,
    parse_operator,
    parse_partition,
    read_session_file,
    read_toml,
)
from swarm.peer.host.command_line import run_command, run_until_signal
from swarm.peer.host.logs import FORMATS, LEVELS, configure_logs
from swarm.peer.search.search_settings import SearchSettings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _load_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make a TOML file's values the defaults of the flags of the same name."""
    if path is not None:
        known = {parameter.name for parameter in context.command.params}
        values = {name.replace("-", "_"): value for name, value in read_toml(path).items()}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigurationError(f"{path}: unknown setting {unknown[0]!r}")
        context.default_map = values
    return path


@app.command(
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "SWARM"}
)
def main(  # noqa: PLR0913, PLR0917 - one parameter per flag is how typer declares a command line
    ip: Annotated[str, typer.Argument(help="Address to listen on, as in 0.0.0.0 or 127.0.0.1.")],
    port: Annotated[int, typer.Argument(help="TCP port to listen on; 0 takes a free one.")],
    bootstrap: Annotated[
        list[str] | None,
        typer.Argument(
            help="Peers to join: ip:port, host:port or a multiaddr. None starts a swarm."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with any of these settings.",
            callback=_load_config,
            is_eager=True,
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What others see this peer as.")] = "",
    site: Annotated[
        str,
        typer.Option(
            help="Where this peer is, as in berlin: peers of one site are clustered together, "
            "so that fewer weights leave it."
        ),
    ] = "",
    state: Annotated[
        Path | None,
        typer.Option(
            help="Folder for identity and resumable state.  [default: in the user's state folder]"
        ),
    ] = None,
    session: Annotated[
        Path | None, typer.Option(help="TOML file with the session's fields.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Own data: .npz with x_train, y_train and optionally x_test, y_test."),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder that may hold cifar-10-batches-bin/.")
    ] = None,
    partition: Annotated[
        str | None, typer.Option(help="k/n: take part k of n of the data set, for demos.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Session: lenet, cnn, mlp, a .keras file, or module:function."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Session: cifar10, digits or synthetic10.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Session: rounds to train.")] = None,
    min_peers: Annotated[
        int | None, typer.Option(help="Session: round 1 waits for so many peers.")
    ] = None,
    local_epochs: Annotated[
        int | None, typer.Option(help="Session: passes over the data a round.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Session: examples a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Session: of round 1.")] = None,
    learning_rate_decay: Annotated[
        float | None, typer.Option(help="Session: factor on the learning rate a round.")
    ] = None,
    momentum: Annotated[float | None, typer.Option(help="Session: of SGD.")] = None,
    partitioner: Annotated[str | None, typer.Option(help="Session: iid or dirichlet.")] = None,
    dirichlet_alpha: Annotated[
        float | None, typer.Option(help="Session: of the Dirichlet partitioner.")
    ] = None,
    examples_per_peer_max: Annotated[
        int | None, typer.Option(help="Session: cap on each peer's training examples; 0 for none.")
    ] = None,
    test_examples_per_peer_max: Annotated[
        int | None, typer.Option(help="Session: cap on each peer's test examples; 0 for none.")
    ] = None,
    cluster_size: Annotated[
        int | None, typer.Option(help="Session: most members of a cluster.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Session: of all randomness.")] = None,
    allow_model: Annotated[
        bool,
        typer.Option(
            help="Let code that the session names (module:function, Lambda layers) run here."
        ),
    ] = False,
    exit_when_done: Annotated[bool, typer.Option(help="End after the last round.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Keep what this peer achieved in this JSON file.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the model here at the end (.keras).")
    ] = None,
    measure_lag: Annotated[
        bool,
        typer.Option(help="Add the event loop's lag to the report; wakes up 100 times a second."),
    ] = False,
    fork_server: Annotated[
        Path | None,
        typer.Option(
            help="Socket of a `python -m swarm.peer.processes.fork_server`: workers start faster."
        ),
    ] = None,
    operator: Annotated[
        list[str] | None,
        typer.Option(help="Obey this operator: the id its dashboard prints; repeatable."),
    ] = None,
    hold: Annotated[
        bool, typer.Option(help="As the first peer: wait until an operator starts the session.")
    ] = False,
    slots: Annotated[
        int,
        typer.Option(
            help="Trials of hyperparameter studies run at once beside training; 0 runs none."
        ),
    ] = 0,
    new_session: Annotated[
        bool,
        typer.Option(
            help="Start a new session in a swarm that runs; peers take it up when they are free."
        ),
    ] = False,
    idle: Annotated[
        bool,
        typer.Option(
            help="Wait for work: start no session, and join one only on an operator's command."
        ),
    ] = False,
    log_level: Annotated[str, typer.Option(help=f"One of {', '.join(LEVELS)}.")] = "info",
    log_format: Annotated[str, typer.Option(help=f"One of {', '.join(FORMATS)}.")] = "text",
) -> None:
    """Train one model together with other peers, with no server.

    Without BOOTSTRAP this peer starts a swarm and prints the line others need to join it.
    Every option can also be set as SWARM_<NAME> in the environment or in a TOML file.
    Only the peer that starts the swarm decides what is marked Session; what a joiner
    gives must agree with the running session.
    """
    given = dict(locals())
    configure_logs(log_level, log_format)
    dirs = platformdirs.PlatformDirs("swarm", appauthor=False)
    settings = PeerSettings(
        ip=ip,
        port=port,
        state_dir=state or Path(dirs.user_state_dir) / f"{ip}-{port}",
        bootstraps=tuple(parse_bootstrap(text) for text in bootstrap or ()),
        name=name,
        site=site,
        session=_session_fields(session, given),
        data=data,
        data_dir=data_dir,
        cache_dir=Path(dirs.user_cache_dir),
        partition=parse_partition(partition) if partition else None,
        model_path=Path(model) if model and model.endswith(".keras") else None,
        allow_model=allow_model,
        exit_when_done=exit_when_done,
        report=report,
        export=export,
        measure_lag=measure_lag,
        fork_server=fork_server,
        operators=tuple(parse_operator(text) for text in operator or ()),
        hold=hold,
        new_session=new_session,
        idle=idle,
    )
    search = SearchSettings(
        ip=ip,
        port=port,
        state_dir=settings.state_dir,
        bootstraps=settings.bootstraps,
        slots=slots,
        data_dir=data_dir,
        cache_dir=settings.cache_dir,
        allow_code=allow_model,
    )
    _run(settings, search)


def _session_fields(file: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    fields = read_session_file(file) if file is not None else {}
    for name in SESSION_FIELDS:
        if given.get(name) is not None:
            fields[name] = given[name]
    if str(fields.get("model", "")).endswith(".keras"):
        del fields["model"]  # travels as a blob; see PeerSettings.model_path
    return fields


def _run(settings: PeerSettings, search: SearchSettings) -> None:
    # Imported here: `--help` and wrong flags answer without loading libp2p.
    peer_module = importlib.import_module("swarm.peer.federation.peer")
    others = []
    if search.slots:
        studies = importlib.import_module("swarm.peer.search.studies")
        others.append(lambda host: studies.open_studies(host, search))
    peer = peer_module.Peer(settings, others=others)
    trio.run(run_until_signal, peer.run, peer.leave)


if __name__ == "__main__":
    sys.exit(run_command(app, "python -m swarm.peer"))
