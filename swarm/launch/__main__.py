"""`python -m swarm.launch`: a whole swarm on this machine, with one command."""

import sys
from pathlib import Path
from typing import Annotated

import platformdirs
import trio
import typer

from swarm.launch.choice import Backend, choose_backend
from swarm.launch.display import Display
from swarm.launch.launch_settings import LaunchSettings
from swarm.launch.launcher import EXIT_INTERRUPTED, Launcher
from swarm.peer.federation.peer_settings import SESSION_FIELDS
from swarm.peer.host.command_line import run_command

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_DEFAULTS = LaunchSettings()


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def main(  # noqa: PLR0913, PLR0917 - one parameter per flag is how typer declares a command line
    peers: Annotated[int, typer.Option(help="How many peers.")] = _DEFAULTS.peers,
    rounds: Annotated[int, typer.Option(help="How many rounds they train.")] = 12,
    model: Annotated[
        str, typer.Option(help="lenet, cnn, mlp, a .keras file, or module:function.")
    ] = "cnn",
    dataset: Annotated[str, typer.Option(help="cifar10, digits or synthetic10.")] = "cifar10",
    port: Annotated[int, typer.Option(help="The dashboard's port.")] = _DEFAULTS.port,
    base_port: Annotated[
        int, typer.Option(help="Peers listen on the first free ports from here on.")
    ] = _DEFAULTS.base_port,
    once: Annotated[
        bool, typer.Option("--once", help="End when the rounds are done.")
    ] = _DEFAULTS.once,
    docker: Annotated[
        bool, typer.Option("--docker", help="Use containers, or say why that is impossible.")
    ] = False,
    no_docker: Annotated[
        bool, typer.Option("--no-docker", help="Use local processes even where Docker runs.")
    ] = False,
    no_dashboard: Annotated[
        bool, typer.Option("--no-dashboard", help="Start only the peers.")
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder that may hold cifar-10-batches-bin/.", envvar="SWARM_DATA_DIR"),
    ] = None,
    partitioner: Annotated[
        str, typer.Option(help="How the data is split among the peers: iid or dirichlet.")
    ] = "iid",
    dirichlet_alpha: Annotated[
        float | None,
        typer.Option(help="Of the Dirichlet partitioner: the smaller, the more uneven."),
    ] = None,
    examples_per_peer_max: Annotated[
        int | None,
        typer.Option(
            "--examples-per-peer",
            help="Cap on each peer's training examples; 0 for all of its part.",
        ),
    ] = None,
    cluster_size: Annotated[
        int | None, typer.Option(help="Most members of a cluster of the aggregation tree.")
    ] = None,
    local_epochs: Annotated[
        int | None, typer.Option(help="Passes over its data that a peer trains each round.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of round 1.")] = None,
    learning_rate_decay: Annotated[
        float | None, typer.Option(help="Factor on the learning rate each round.")
    ] = 0.97,
    seed: Annotated[int | None, typer.Option(help="Of all randomness.")] = None,
    runs_dir: Annotated[
        Path, typer.Option(help="Where each run gets a folder for what it leaves.")
    ] = _DEFAULTS.runs_dir,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show every line the peers log.")
    ] = _DEFAULTS.verbose,
) -> int:
    """Start peers on this machine that train one model together, and a page to watch them.

    What comes of it is kept in a folder of its own under runs/: summary.json, model.keras and
    the peers' logs. Ctrl-C ends everything; what was reached until then is kept as well.
    """
    given = dict(locals())
    settings = LaunchSettings(
        session={name: given[name] for name in SESSION_FIELDS if given.get(name) is not None},
        peers=peers,
        port=port,
        dashboard=not no_dashboard,
        base_port=base_port,
        once=once,
        data_dir=data_dir.absolute() if data_dir is not None else None,
        cache_dir=Path(platformdirs.PlatformDirs("swarm", appauthor=False).user_cache_dir),
        runs_dir=runs_dir,
        verbose=verbose,
    )
    backend, why = choose_backend(str(model), docker=docker, no_docker=no_docker)
    return trio.run(_launch, settings, backend, why)


async def _launch(settings: LaunchSettings, backend: Backend, why: str) -> int:
    return await Launcher(settings, Display(), backend, why).run()


if __name__ == "__main__":
    try:
        sys.exit(run_command(app, "./run.sh"))
    except KeyboardInterrupt:  # before the launcher listened to signals
        sys.exit(EXIT_INTERRUPTED)
