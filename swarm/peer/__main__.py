"""`python -m swarm.peer <ip> <port> [<bootstrap>...]`: the command line of one peer."""

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import trio
import typer

from swarm.core.errors import ConfigurationError
from swarm.core.session import SessionSpec
from swarm.core.suggestions import did_you_mean
from swarm.peer.ensemble.ensemble_settings import EnsembleSettings
from swarm.peer.federation.peer_settings import (
    PeerSettings,
    parse_operator,
    parse_partition,
    read_session_file,
    read_toml,
)
from swarm.peer.host.command_line import run_command, run_until_signal
from swarm.peer.host.host_settings import DEFAULT_STATE, parse_bootstraps
from swarm.peer.host.logs import FORMATS, LEVELS, configure_logs
from swarm.peer.search.search_settings import SearchSettings

SESSION_FLAGS = {
    "model": "lenet, cnn, mlp, text, a .keras file, or module:function.",
    "dataset": "cifar10, digits or synthetic10.",
    "task": "classification, multi-label or regression, where --data leave it open.",
    "rounds": "number of rounds to train.",
    "early_stop": "end after this number of rounds without a new best accuracy; 0: never.",
    "min_peers": "round 1 waits for this number of peers.",
    "local_epochs": "passes over a peer's own data in each round.",
    "local_steps": "training steps of a peer in each round; 0: by local epochs.",
    "round_seconds": "maximum seconds of training in each round; 0: no limit.",
    "batch_size": "examples in each training step.",
    "learning_rate": "learning rate of round 1; 0: the model's own, or else 0.05 (adam: 0.001).",
    "warmup_steps": "first training steps of a peer, in which its learning rate rises; 0: none.",
    "clip_norm": "longest gradient; longer ones are shortened to it; 0: never.",
    "learning_rate_decay": "factor on the learning rate after each round.",
    "momentum": "momentum of SGD.",
    "partitioner": "how --partition splits the data set: iid or dirichlet.",
    "dirichlet_alpha": "concentration of the dirichlet partitioner; small values are uneven.",
    "examples_per_peer_max": "maximum number of training examples of each peer; 0 means no limit.",
    "test_examples_per_peer_max": "maximum number of test examples of each peer; 0: no limit.",
    "cluster_size": "maximum number of peers in a cluster of the aggregation tree.",
    "seed": "seed of all randomness.",
}
"""Help of the flags that set a field of the session; `--session FILE` can set all fields."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _load_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make a TOML file's values the defaults of the flags of the same name."""
    if path is not None:
        known = {parameter.name for parameter in context.command.params}
        values = {name.replace("-", "_"): value for name, value in read_toml(path).items()}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigurationError(
                f"{path}: unknown setting {unknown[0]!r}{did_you_mean(unknown[0], known)}"
            )
        context.default_map = values
    return path


def _with_session_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's `**session` by one flag for each of `SESSION_FLAGS`."""
    types = get_type_hints(SessionSpec)
    signature = inspect.signature(command)
    *own, _ = signature.parameters.values()
    flags = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                types[name] | None,
                typer.Option(help=f"Session: {text}  [default: {getattr(SessionSpec(), name)}]"),
            ],
        )
        for name, text in SESSION_FLAGS.items()
    ]
    vars(command)["__signature__"] = signature.replace(parameters=[*own, *flags])
    return command


@app.command(
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "SWARM"}
)
@_with_session_flags
def main(  # noqa: PLR0913, PLR0917 - one parameter per flag is how typer declares a command line
    ip: Annotated[str, typer.Argument(help="Address to listen on, as in 0.0.0.0 or 127.0.0.1.")],
    port: Annotated[int, typer.Argument(help="TCP port to listen on; 0 takes a free one.")],
    bootstrap: Annotated[
        list[str] | None,
        typer.Argument(
            help="Peers to join: ip:port, host:port or a multiaddr. Without any, this peer starts "
            "a swarm."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with any of these options.", callback=_load_config, is_eager=True
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of this peer, shown to other peers.")] = "",
    site: Annotated[
        str,
        typer.Option(
            help="Where this peer is, as in berlin. Peers of one site form clusters, so fewer "
            "weights travel between sites."
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
        typer.Option(
            help="This peer's own data: an .npz file with x_train, y_train, and optionally x_test "
            "and y_test; a table (CSV, Excel, Parquet); a folder of pictures or texts for each "
            "class; or a Hugging Face data set on disk. See docs/data.md."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Column of a table to predict.  [default: one named target, label, class or y, "
            "else the last]"
        ),
    ] = None,
    missing_target: Annotated[
        str,
        typer.Option(help="Rows of a table whose target is missing: refuse the table, or drop."),
    ] = "refuse",
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder that may contain cifar-10-batches-bin/.")
    ] = None,
    partition: Annotated[
        str | None,
        typer.Option(help="k/n: train on part k of n parts of the data set, for demonstrations."),
    ] = None,
    allow_model: Annotated[
        bool,
        typer.Option(help="Let code of the session's model (module:function, Lambda) run here."),
    ] = False,
    exit_when_done: Annotated[bool, typer.Option(help="Exit after the last round.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Write this peer's results to this JSON file, and keep it up to date."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the final model to this .keras file.")
    ] = None,
    measure_lag: Annotated[
        bool,
        typer.Option(
            help="Add the event loop's lag to the report. This wakes the peer 100 times a second."
        ),
    ] = False,
    fork_server: Annotated[
        Path | None,
        typer.Option(
            help="Socket of a running `python -m swarm.peer.processes.fork_server`. The learner "
            "process then starts faster."
        ),
    ] = None,
    threads: Annotated[
        int,
        typer.Option(help="Threads that train; 0 takes one for each core of this machine."),
    ] = 0,
    operator: Annotated[
        list[str] | None,
        typer.Option(
            help="Id of an operator whose commands this peer obeys, as the operator's dashboard "
            "prints it. May be repeated."
        ),
    ] = None,
    hold: Annotated[
        bool,
        typer.Option(help="As the first peer: wait until an operator starts the session."),
    ] = False,
    slots: Annotated[
        int,
        typer.Option(
            help="Number of trials of hyperparameter studies to run at once, beside training; "
            "0 runs none."
        ),
    ] = 0,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve",
            help="Be a member of an ensemble too: fit a model of its own on --data, and answer "
            "questions.",
        ),
    ] = False,
    learner: Annotated[
        str,
        typer.Option(help="With --serve: what to fit, as in gbr, ridge, forest or module:Class."),
    ] = "gbr",
    ensemble: Annotated[
        str,
        typer.Option(
            help="With --serve: name of the ensemble.  [default: the only one, or the target]"
        ),
    ] = "",
    new_session: Annotated[
        bool,
        typer.Option(
            help="Start a new session in a running swarm. Peers join it once theirs is over."
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
    **session_flags: Any,
) -> None:
    """Train one model together with other peers, without a server.

    Without BOOTSTRAP this peer starts a swarm, and prints the command with which other peers join.
    With BOOTSTRAP it joins the swarm of these peers.

    The peer that starts a session chooses the options marked Session. A peer that joins needs
    none of them. If it gives some, they must agree with the running session.

    Each option can also be set in the environment as SWARM_<NAME>, or in a TOML file (--config).
    """
    configure_logs(log_level, log_format)
    fields = read_session_file(session) if session is not None else {}
    given = {name: value for name, value in session_flags.items() if value is not None}
    shared: dict[str, Any] = {
        "ip": ip,
        "port": port,
        "state_dir": state or DEFAULT_STATE / f"{ip}-{port}",
        "bootstraps": parse_bootstraps(bootstrap),
        "data_dir": data_dir,
    }
    settings = PeerSettings(
        **shared,
        name=name,
        site=site,
        session=fields | given,
        data=data,
        target=target,
        missing_target=missing_target,
        partition=parse_partition(partition) if partition else None,
        allow_model=allow_model,
        exit_when_done=exit_when_done,
        report=report,
        export=export,
        measure_lag=measure_lag,
        fork_server=fork_server,
        threads=threads,
        operators=tuple(parse_operator(text) for text in operator or ()),
        hold=hold,
        new_session=new_session,
        idle=idle,
    )
    search = SearchSettings(**shared, slots=slots, allow_code=allow_model)
    member = EnsembleSettings(
        **shared,
        data=data,
        target=target,
        learner=learner,
        ensemble=ensemble,
        allow_code=allow_model,
    )
    _run(settings, search, member if serve else None)


def _run(settings: PeerSettings, search: SearchSettings, member: EnsembleSettings | None) -> None:
    # Imported here: `--help` and wrong flags answer without loading libp2p.
    peer_module = importlib.import_module("swarm.peer.federation.peer")
    others = []
    if search.slots:
        studies = importlib.import_module("swarm.peer.search.studies")
        others.append(lambda host: studies.open_studies(host, search))
    if member is not None:
        rows = importlib.import_module("swarm.peer.ensemble.member_rows").read_rows(member)
        beside = importlib.import_module("swarm.peer.ensemble.serving_beside")
        others.append(lambda host: beside.open_serving_beside(host, member, rows))
    peer = peer_module.Peer(settings, others=others)
    trio.run(run_until_signal, peer.run, peer.leave)


if __name__ == "__main__":
    sys.exit(run_command(app, "python -m swarm.peer"))
