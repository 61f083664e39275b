"""`python -m swarm.launch`: start a whole swarm on this machine with one command."""

import sys
from pathlib import Path
from typing import Annotated

import platformdirs
import trio
import typer

from swarm.launch.backend import Backend
from swarm.launch.backend_choice import choose_backend
from swarm.launch.display import open_display
from swarm.launch.launch_settings import ROUND_SECONDS, LaunchSettings, with_round_bound
from swarm.launch.launcher import EXIT_INTERRUPTED, Launcher
from swarm.peer.host.command_line import run_command

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_DEFAULTS = LaunchSettings()


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def main(  # noqa: PLR0913, PLR0917 - one parameter per flag is how typer declares a command line
    peers: Annotated[int, typer.Option(help="Number of peers.")] = _DEFAULTS.peers,
    rounds: Annotated[int, typer.Option(help="Number of rounds to train.")] = 12,
    model: Annotated[
        str, typer.Option(help="lenet, cnn, mlp, a .keras file, or module:function.")
    ] = "cnn",
    dataset: Annotated[str, typer.Option(help="cifar10, digits or synthetic10.")] = "cifar10",
    port: Annotated[int, typer.Option(help="Port of the dashboard.")] = _DEFAULTS.port,
    base_port: Annotated[
        int, typer.Option(help="Peers listen on the first free ports from this one on.")
    ] = _DEFAULTS.base_port,
    once: Annotated[
        bool, typer.Option("--once", help="Exit when all rounds are done.")
    ] = _DEFAULTS.once,
    docker: Annotated[
        bool, typer.Option("--docker", help="Run in containers; fail if that is impossible.")
    ] = False,
    no_docker: Annotated[
        bool, typer.Option("--no-docker", help="Run as local processes, even if Docker runs.")
    ] = False,
    no_dashboard: Annotated[
        bool, typer.Option("--no-dashboard", help="Start the peers without a dashboard.")
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder that contains cifar-10-batches-bin/.", envvar="SWARM_DATA_DIR"),
    ] = None,
    partitioner: Annotated[
        str, typer.Option(help="How the data is split among the peers: iid or dirichlet.")
    ] = "iid",
    dirichlet_alpha: Annotated[
        float | None,
        typer.Option(help="Alpha of the Dirichlet partitioner; smaller is more uneven."),
    ] = None,
    examples_per_peer: Annotated[
        int | None,
        typer.Option(help="Training examples per peer, at most; 0 means its whole part."),
    ] = None,
    cluster_size: Annotated[
        int | None, typer.Option(help="Members per cluster of the aggregation tree, at most.")
    ] = None,
    local_epochs: Annotated[
        int | None, typer.Option(help="Passes of a peer over its data in each round.")
    ] = None,
    local_steps: Annotated[
        int | None, typer.Option(help="Training steps of a peer in each round, instead of passes.")
    ] = None,
    round_seconds: Annotated[
        float | None,
        typer.Option(
            help="Seconds that a peer trains in a round, at most; 0 means no limit.  "
            f"[default: {ROUND_SECONDS:g}, if neither passes nor steps are given]"
        ),
    ] = None,
    early_stop: Annotated[
        int | None,
        typer.Option(help="End after this number of rounds without a better model; 0: never."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples per training step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Learning rate of round 1.")] = None,
    learning_rate_decay: Annotated[
        float | None, typer.Option(help="Factor by which the learning rate changes each round.")
    ] = 0.97,
    seed: Annotated[int | None, typer.Option(help="Seed of all randomness.")] = None,
    threads: Annotated[
        int, typer.Option(help="Threads per peer; 0 divides this machine's cores among the peers.")
    ] = _DEFAULTS.threads,
    runs_dir: Annotated[
        Path, typer.Option(help="Folder in which each run creates its own folder.")
    ] = _DEFAULTS.runs_dir,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show every log line of the peers.")
    ] = _DEFAULTS.verbose,
) -> int:
    """Start peers on this machine that train one model together, and a page to watch them.

    Each run keeps its results in its own folder under runs/: summary.json, model.keras and the
    peers' logs. Ctrl-C ends the run and keeps the results so far.
    """
    fields = {
        "model": model,
        "dataset": dataset,
        "rounds": rounds,
        "partitioner": partitioner,
        "dirichlet_alpha": dirichlet_alpha,
        "examples_per_peer_max": examples_per_peer,
        "cluster_size": cluster_size,
        "local_epochs": local_epochs,
        "local_steps": local_steps,
        "round_seconds": round_seconds,
        "early_stop": early_stop,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "learning_rate_decay": learning_rate_decay,
        "seed": seed,
    }
    settings = LaunchSettings(
        session=with_round_bound({k: value for k, value in fields.items() if value is not None}),
        peers=peers,
        port=port,
        dashboard=not no_dashboard,
        base_port=base_port,
        once=once,
        data_dir=data_dir.absolute() if data_dir is not None else None,
        cache_dir=Path(platformdirs.PlatformDirs("swarm", appauthor=False).user_cache_dir),
        runs_dir=runs_dir,
        threads=threads,
        verbose=verbose,
    )
    backend, why = choose_backend(str(model), docker=docker, no_docker=no_docker)
    return trio.run(_launch, settings, backend, why)


async def _launch(settings: LaunchSettings, backend: Backend, why: str) -> int:
    return await Launcher(settings, open_display(), backend, why).run()


if __name__ == "__main__":
    try:
        sys.exit(run_command(app, "./run.sh"))
    except KeyboardInterrupt:  # before the launcher handled signals
        sys.exit(EXIT_INTERRUPTED)
