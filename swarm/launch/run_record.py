"""RunRecord: run.json, with which other commands find a run in progress."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from swarm.launch.backend import Backend, Layout
from swarm.launch.launch_settings import LaunchSettings
from swarm.peer.host.whole_files import write_json

NAME = "run.json"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The launcher's process, and what it started where."""

    pid: int
    started_s: float
    """Start time of the launcher's process; the system may have given its pid to another one."""
    backend: str
    peers: list[str]
    page: str | None

    @classmethod
    def of(cls, backend: Backend, settings: LaunchSettings, layout: Layout) -> "RunRecord":
        """Make the record of a run of this process."""
        return cls(
            pid=os.getpid(),
            started_s=psutil.Process().create_time(),
            backend=backend.name,
            peers=[program.name for program in layout.peers],
            page=f"http://localhost:{settings.port}" if layout.dashboard else None,
        )

    def write(self, run: Path) -> None:
        """Write it to the run's folder.

        Raises:
            StorageError: The file cannot be written.
        """
        write_json(run / NAME, asdict(self))

    @property
    def is_going_on(self) -> bool:
        """Whether the launcher is still running."""
        try:
            return bool(abs(psutil.Process(self.pid).create_time() - self.started_s) < 1)
        except psutil.Error:
            return False


def find_run(runs_dir: Path) -> tuple[Path, RunRecord] | None:
    """Return the newest run in progress, with its folder; None if there is none."""
    for path in sorted(runs_dir.glob(f"*/{NAME}"), reverse=True):
        try:
            record = RunRecord(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        if record.is_going_on:
            return path.parent, record
    return None
