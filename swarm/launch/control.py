"""`./run.sh stop|status|logs|shell`: commands about the run in progress on this machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import psutil
import typer
from rich.console import Console
from rich.table import Table

from swarm.core.errors import ConfigurationError
from swarm.launch.container_backend import Containers, project_name
from swarm.launch.docker_engine import Engine, find_engine
from swarm.launch.launch_settings import LaunchSettings
from swarm.launch.run_record import RunRecord, find_run
from swarm.peer.host.command_line import run_command

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_RunsDir = Annotated[Path, typer.Option(help="Folder that contains the runs' folders.")]
_RUNS_DIR = LaunchSettings().runs_dir
_LINES = 40
"""Lines of a log that are shown before it is followed."""
STOPS_WITHIN_S = 60.0
NOTHING_RUNS = "No run is in progress. ./run.sh starts one."


@app.command()
def stop(runs_dir: _RunsDir = _RUNS_DIR) -> int:
    """End the run. It keeps its results so far, as with Ctrl-C."""
    found = find_run(runs_dir)
    if found is not None:
        run, record = found
        print(f"Stopping {len(record.peers)} peers ({record.backend})", flush=True)
        launcher = psutil.Process(record.pid)
        launcher.send_signal(signal.SIGINT)
        try:
            launcher.wait(STOPS_WITHIN_S)
        except psutil.TimeoutExpired:
            print(
                f"error: the launcher, process {record.pid}, did not end within"
                f" {STOPS_WITHIN_S:.0f} s",
                file=sys.stderr,
            )
            return 1
        print(f"The run has ended. Its results are in {run}/")
        return 0
    engine = find_engine()
    if isinstance(engine, Engine) and _containers(engine):
        _compose_down(engine)
        print(f"Removed the containers of {project_name()}. Their ./run.sh had already ended.")
        return 0
    print(NOTHING_RUNS)
    return 0


@app.command()
def status(runs_dir: _RunsDir = _RUNS_DIR) -> int:
    """Show the state, round and accuracy of each peer."""
    found = find_run(runs_dir)
    engine = find_engine() if found is None or found[1].backend == Containers.name else ""
    states = _containers(engine) if isinstance(engine, Engine) else {}
    if found is None and not states:
        print(NOTHING_RUNS)
        return 0
    names = found[1].peers if found is not None else sorted(states)
    table = Table()
    for column in ("peer", "state", "round", "accuracy", "sent", "received"):
        table.add_column(column)
    for name in names:
        table.add_row(*_row(name, found, engine, states))
    Console().print(table)
    if found is not None:
        run, record = found
        page = f" Its page is {record.page}" if record.page else ""
        print(f"The run in {run}/ uses {record.backend}.{page}")
    return 0


@app.command()
def logs(
    peer: Annotated[
        str | None, typer.Argument(help="Name of a peer, such as peer-2. Default: all peers.")
    ] = None,
    runs_dir: _RunsDir = _RUNS_DIR,
) -> int:
    """Show the newest log lines, then new ones as they come. Ctrl-C does not end the run."""
    found = find_run(runs_dir)
    if found is not None:
        run, record = found
        chosen = [_chosen(peer, record)] if peer else record.peers
        paths = [str(run / "peers" / name / "log.jsonl") for name in chosen]
        _become("tail", "-n", str(_LINES), "-F", *paths)
    engine = find_engine()
    if isinstance(engine, Engine) and _containers(engine):
        name = f"{project_name()}-{peer or 'peer-1'}"
        _become(engine.docker, "logs", "--tail", str(_LINES), "--follow", name)
    print(NOTHING_RUNS)
    return 1


@app.command()
def shell(
    peer: Annotated[str, typer.Argument(help="Name of a peer, such as peer-2.")],
    runs_dir: _RunsDir = _RUNS_DIR,
) -> int:
    """Open a shell in a peer's container or, without containers, in its folder."""
    found = find_run(runs_dir)
    if found is not None and found[1].backend != Containers.name:
        os.chdir(found[0] / "peers" / _chosen(peer, found[1]))
        print(f"{peer} is a process on this machine. This shell is in its folder.", flush=True)
        _become(os.environ.get("SHELL", "sh"))
    engine = find_engine()
    if isinstance(engine, Engine) and peer in _containers(engine):
        terminal = ["--tty"] if sys.stdin.isatty() else []
        container = f"{project_name()}-{peer}"
        _become(engine.docker, "exec", "--interactive", *terminal, container, "sh")
    print(f"error: {peer} is not running", file=sys.stderr)
    return 1


def _chosen(peer: str, record: RunRecord) -> str:
    if peer not in record.peers:
        raise ConfigurationError(f"peer must be one of {', '.join(record.peers)}, got {peer!r}")
    return peer


def _row(
    name: str,
    found: tuple[Path, RunRecord] | None,
    engine: Engine | str,
    states: Mapping[str, str],
) -> tuple[str, ...]:
    report: Mapping[str, Any] = {}
    if isinstance(engine, Engine):
        state = states.get(name, "gone")
        text = _output(engine, "exec", f"{project_name()}-{name}", "cat", "/state/report.json")
        report = _parsed(lambda: text)
    elif found is not None:
        path = found[0] / "peers" / name / "report.json"
        report = _parsed(lambda: path.read_text(encoding="utf-8"))
        state = "running" if report else "starting"
    accuracy = report.get("accuracy")
    return (
        name,
        state,
        "" if report.get("round") is None else str(report["round"]),
        "" if accuracy is None else f"{accuracy:.1%}",
        *(f"{report.get(key, 0) / 1e6:.1f} MB" for key in ("bytes_sent", "bytes_received")),
    )


def _parsed(read: Callable[[], str]) -> Mapping[str, Any]:
    try:
        value = json.loads(read())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _containers(engine: Engine) -> dict[str, str]:
    """Return the state of each running container of our project, by the name of its service."""
    label = f"label=com.docker.compose.project={project_name()}"
    form = '{{.Label "com.docker.compose.service"}}\t{{.Status}}'
    lines = _output(engine, "ps", "--filter", label, "--format", form).splitlines()
    return dict(line.split("\t", 1) for line in lines if "\t" in line)


def _compose_down(engine: Engine) -> None:
    """Remove our project without its compose files: the labels show what belongs to it."""
    label = f"label=com.docker.compose.project={project_name()}"
    for kind, remove in (
        ("container", ("rm", "--force", "--volumes")),
        ("network", ("rm",)),
        ("volume", ("rm",)),
    ):
        every = ("--all",) if kind == "container" else ()
        ids = _output(engine, kind, "ls", "--quiet", *every, "--filter", label).split()
        if ids:
            _output(engine, kind, *remove, *ids)


def _output(engine: Engine, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - a client found in PATH, with arguments of ours
        [engine.docker, *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else ""


def _become(program: str, *arguments: str) -> NoReturn:
    path = shutil.which(program)
    if path is None:
        raise ConfigurationError(f"{program} is not in PATH")
    os.execv(path, [program, *arguments])  # noqa: S606 - on purpose without a shell


if __name__ == "__main__":
    sys.exit(run_command(app, "./run.sh"))
