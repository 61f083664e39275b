"""`python -m swarm.ensemble serve`: joins or founds an ensemble, and answers until Ctrl-C."""

import importlib
from pathlib import Path
from typing import Annotated, Any

import trio
import typer

from swarm.core.canonical import sha256_hex
from swarm.peer.ensemble.command_app import AllowCode, LogFormat, State, app
from swarm.peer.ensemble.ensemble_settings import (
    DRIFT_THRESHOLD,
    FIT_LIMIT_S,
    FOREIGN_MEMORY_MIB,
    ROWS_PER_HOUR,
    SCORE_LIMIT_S,
    EnsembleSettings,
)
from swarm.peer.host.command_line import run_until_signal
from swarm.peer.host.host_settings import DEFAULT_STATE, parse_bootstraps, parse_peer_id
from swarm.peer.host.logs import LEVELS, configure_logs

_SPEC_FIELDS = (
    "task",
    "transform",
    "combination",
    "deadline_s",
    "quorum",
    "keep_models",
    "distance_max",
    "seed",
)


@app.command()
def serve(  # noqa: PLR0913, PLR0917 (one for each flag)
    data: Annotated[
        Path,
        typer.Option(help="Labelled rows of this member: CSV, Parquet, Excel or .npz."),
    ],
    ip: Annotated[str, typer.Argument(help="Address to listen on, as in 0.0.0.0.")] = "127.0.0.1",
    port: Annotated[int, typer.Argument(help="TCP port; 0 takes a free one.")] = 0,
    bootstrap: Annotated[
        list[str] | None,
        typer.Argument(
            help="Peers to join: ip:port, host:port or a multiaddr. Without any, this peer starts "
            "a swarm."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Column to predict.  [default: one named target, label, class or y, else the "
            "last]"
        ),
    ] = None,
    learner: Annotated[
        str,
        typer.Option(help="What to fit: a name such as gbr, ridge, forest, or module:Class."),
    ] = "gbr",
    ensemble: Annotated[
        str,
        typer.Option(
            help="Name of the ensemble to join or found.  [default: the only one, or the target]"
        ),
    ] = "",
    state: State = None,
    ask_from: Annotated[
        list[str] | None,
        typer.Option(help="Id of a peer that may ask; all may if none is given. May be repeated."),
    ] = None,
    rows_per_hour: Annotated[
        int, typer.Option(help="Rows that one asker gets answered in an hour.", min=1)
    ] = ROWS_PER_HOUR,
    watch: Annotated[
        Path | None,
        typer.Option(help="Folder from which files of labelled rows are taken as they come."),
    ] = None,
    drift_threshold: Annotated[
        float, typer.Option(help="Refit when new rows drift more than this level.")
    ] = DRIFT_THRESHOLD,
    keep_model: Annotated[
        bool,
        typer.Option(
            "--keep-model",
            help="Keep the model at home: members score it by questions, with rows that they "
            "agreed to share. Models of knn and svm hold rows, and always stay.",
        ),
    ] = False,
    share_validation_rows: Annotated[
        bool,
        typer.Option(
            "--share-validation-rows",
            help="Send validation rows, without targets, to members whose models stay at home.",
        ),
    ] = False,
    allow_code: AllowCode = False,
    fit_limit: Annotated[
        float, typer.Option(help="Seconds after which a fit is killed.")
    ] = FIT_LIMIT_S,
    score_limit: Annotated[
        float, typer.Option(help="Seconds after which scoring another member's model is killed.")
    ] = SCORE_LIMIT_S,
    foreign_memory: Annotated[
        int, typer.Option(help="MiB of memory for other members' models.")
    ] = FOREIGN_MEMORY_MIB,
    task: Annotated[
        str | None,
        typer.Option(help="Founder: regression or classification.  [default: by the target]"),
    ] = None,
    transform: Annotated[
        str | None,
        typer.Option(help="Founder: none or log1p, for the target.  [default: by the target]"),
    ] = None,
    combination: Annotated[
        str | None,
        typer.Option(help="Founder: auto, mean, median, hard, skill, stacking or trained."),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(help="Founder: seconds after which a question ends.  [default: 2]"),
    ] = None,
    quorum: Annotated[
        float | None,
        typer.Option(
            help="Founder: share of the present members that must answer.  [default: 0.5]"
        ),
    ] = None,
    keep_models: Annotated[
        bool | None,
        typer.Option(
            "--keep-models",
            help="Founder: members keep each other's models, to answer for lost ones.",
        ),
    ] = None,
    distance: Annotated[
        float | None,
        typer.Option(
            help="Founder: members abstain from rows further than this multiple of the 99 % "
            "distance of their own rows.  [default: never]"
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Founder: seed of folds and fits.")] = None,
    log_level: Annotated[str, typer.Option(help=f"One of {', '.join(LEVELS)}.")] = "warning",
    log_format: LogFormat = "text",
) -> None:
    """Join an ensemble, or found one, and answer its questions until Ctrl-C.

    Without BOOTSTRAP this peer starts a swarm, founds an ensemble, and prints how others join and
    ask. With BOOTSTRAP it joins the ensemble there.

    It fits its own model on its own rows. The rows stay here; the model is scored by the others.
    The founder chooses the options marked Founder. The same command resumes after Ctrl-C.
    """
    configure_logs(log_level, log_format)
    founded = {
        "task": task,
        "transform": transform,
        "combination": combination,
        "deadline_s": deadline,
        "quorum": quorum,
        "keep_models": keep_models,
        "distance_max": distance,
        "seed": seed,
    }
    settings = EnsembleSettings(
        ip=ip,
        port=port,
        state_dir=state or default_state(data),
        bootstraps=parse_bootstraps(bootstrap),
        data=data,
        target=target,
        ensemble=ensemble,
        learner=learner,
        spec={name: value for name, value in founded.items() if value is not None},
        ask_from=tuple(parse_peer_id(text, "an asker") for text in ask_from or ()),
        rows_per_hour=rows_per_hour,
        watch=watch,
        drift_threshold=drift_threshold,
        keep_model=keep_model,
        share_validation_rows=share_validation_rows,
        allow_code=allow_code,
        fit_limit_s=fit_limit,
        score_limit_s=score_limit,
        foreign_memory_mib=foreign_memory,
    )
    # Imported here: `--help` and wrong flags answer without loading pandas and libp2p.
    module: Any = importlib.import_module("swarm.peer.ensemble.ensemble_peer")
    peer = module.EnsemblePeer(settings, say)
    trio.run(run_until_signal, peer.run, peer.leave)


def default_state(data: Path) -> Path:
    """The state folder of the member that has these rows, so that the same command resumes."""
    path = data.absolute()
    return DEFAULT_STATE / f"ensemble-{path.stem[:40]}-{sha256_hex(str(path).encode())[:8]}"


def say(line: str) -> None:
    """Print one line."""
    print(line, flush=True)
