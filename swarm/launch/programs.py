"""Program: one process of a run: its command line and its files."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from swarm.launch.free_ports import HOST
from swarm.launch.launch_settings import LaunchSettings

BOOTSTRAPS_MAX = 2
"""A joining peer knows the first two peers, so that it can also join when the first is gone."""


@dataclass(frozen=True, slots=True)
class Program:
    """`python -m module arguments`."""

    name: str
    module: str
    arguments: tuple[str, ...]
    folder: Path
    """Folder for its files, including its log."""
    watches_stdin: bool = False
    """Whether it ends by itself when its stdin closes, without `lifeline`."""

    @property
    def log(self) -> Path:
        """File with its stderr."""
        return self.folder / "log.jsonl"

    @property
    def report(self) -> Path:
        """File with the report of a peer."""
        return self.folder / "report.json"

    @property
    def model(self) -> Path:
        """File with the final model of a peer."""
        return self.folder / "model-out.keras"


def fork_server_program(run: Path, socket: Path) -> Program:
    """Return the program of the server that forks the peers' workers."""
    arguments = (str(socket),)
    return Program(
        "fork-server",
        "swarm.peer.processes.fork_server",
        arguments,
        run / "fork-server",
        watches_stdin=True,
    )


def peer_programs(
    settings: LaunchSettings,
    session: Mapping[str, Any],
    run: Path,
    ports: tuple[int, ...],
    fork_server: Path | None = None,
) -> list[Program]:
    """Return the programs of the peers: the first starts the session, the others join it."""
    programs = (_peer(settings, session, run, ports, index) for index in range(len(ports)))
    if fork_server is None:
        return list(programs)
    flag = ("--fork-server", str(fork_server))
    return [replace(program, arguments=program.arguments + flag) for program in programs]


def _peer(
    settings: LaunchSettings,
    session: Mapping[str, Any],
    run: Path,
    ports: tuple[int, ...],
    index: int,
) -> Program:
    name = f"peer-{index + 1}"
    program = Program(name, "swarm.peer", (), run / "peers" / name)
    bootstraps = ports[: min(index, BOOTSTRAPS_MAX)]
    flags: dict[str, Any] = {
        "name": name,
        "state": program.folder,
        "partition": f"{index + 1}/{len(ports)}",
        "report": program.report,
        "export": program.model,
        "log-format": "json",
        "log-level": "debug",
        "data-dir": settings.data_dir,
    }
    if not bootstraps:
        flags |= {field.replace("_", "-"): value for field, value in session.items()}
    arguments = [HOST, str(ports[index]), *(f"{HOST}:{port}" for port in bootstraps)]
    for flag, value in flags.items():
        if value is not None:
            arguments += [f"--{flag}", str(value)]
    if ":" in str(session.get("model", "")):
        arguments.append("--allow-model")  # the user named this code, and so trusts it
    if settings.once:
        arguments.append("--exit-when-done")
    return Program(name, "swarm.peer", tuple(arguments), program.folder)


def dashboard_program(settings: LaunchSettings, run: Path, ports: tuple[int, ...]) -> Program:
    """Return the program of the dashboard, which knows the first two peers."""
    arguments = ["--port", str(settings.port)]
    for port in ports[:BOOTSTRAPS_MAX]:
        arguments += ["--bootstrap", f"{HOST}:{port}"]
    return Program("dashboard", "dashboard", tuple(arguments), run / "dashboard")
