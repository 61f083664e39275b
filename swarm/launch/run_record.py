"""RunRecord: what other commands must know of a run that is going on; run.json in its folder."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from swarm.launch.backend import Layout
from swarm.launch.choice import Backend
from swarm.launch.launch_settings import LaunchSettings
from swarm.peer.federation.status_board import write_json

NAME = "run.json"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Who launched it, and what runs where."""

    pid: int
    started_s: float
    """When the launcher's process began: a pid may be another's by now."""
    backend: str
    peers: list[str]
    page: str | None

    @classmethod
    def of(cls, backend: Backend, settings: LaunchSettings, layout: Layout) -> "RunRecord":
        """The record of a run of this process."""
        return cls(
            pid=os.getpid(),
            started_s=psutil.Process().create_time(),
            backend=backend.name,
            peers=[program.name for program in layout.peers],
            page=f"http://localhost:{settings.port}" if layout.dashboard else None,
        )

    def write(self, run: Path) -> None:
        """Keep it in the run's folder.

        Raises:
            StorageError: The disk refused.
        """
        write_json(run / NAME, asdict(self))

    @property
    def is_going_on(self) -> bool:
        """Whether the launcher still runs."""
        try:
            return bool(abs(psutil.Process(self.pid).create_time() - self.started_s) < 1)
        except psutil.Error:
            return False


def find_run(runs_dir: Path) -> tuple[Path, RunRecord] | None:
    """The newest run that is going on, with its folder; None if there is none."""
    for path in sorted(runs_dir.glob(f"*/{NAME}"), reverse=True):
        try:
            record = RunRecord(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        if record.is_going_on:
            return path.parent, record
    return None
