"""Studies for benchmarks: one peer in a thread here, others as processes."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import swarm
from swarm.peer.search.running_search import RunningSearch

READY_WITHIN_S = 120.0
STOP_WITHIN_S = 10.0


@dataclass(slots=True)
class SearchSwarm:
    """A peer in this process, and worker processes for its studies."""

    root: Path
    here: RunningSearch
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_worker(self, slots: int = 1) -> subprocess.Popen[bytes]:
        """Start one more peer."""
        name = f"worker-{len(self.processes)}"
        command = [sys.executable, "-m", "swarm.search", "worker"]
        command += ["--bootstrap", self.here.address, "--slots", str(slots)]
        command += ["--state", str(self.root / name), "--log-level", "info"]
        with (self.root / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """End every process."""
        self.here.stop()
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def open_swarm(slots: int) -> Iterator[SearchSwarm]:
    """Open a swarm of one peer, in this process, with `slots` slots."""
    with tempfile.TemporaryDirectory(prefix="swarm-benchmark-") as folder:
        root = Path(folder)
        opened = SearchSwarm(root, swarm.start_search(slots=slots, state=root / "here"))
        try:
            yield opened
        finally:
            opened.stop()


def document(name: str, trials: int, seed: int, **fields: Any) -> dict[str, Any]:
    """The content of a study file."""
    return {"name": name, "num_trials": trials, "seed": seed, **fields}
