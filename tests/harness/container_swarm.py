"""Six peers in containers, with faults; `faulty_swarm` is the same for processes."""

import datetime
import os
import subprocess
import urllib.request
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from swarm.launch.container_backend import COMPOSE_FILE
from swarm.launch.docker_engine import Engine
from tests.harness.container_links import Link
from tests.harness.faulty_swarm import FaultySwarm
from tests.harness.swarm_processes import PeerProcess, now_s

DIGITS = {
    "dataset": "digits",
    "model": "cnn",
    "rounds": "100000",
    "local_epochs": "8",
    "batch_size": "16",
}
"""As `faulty_swarm.DIGITS_SESSION`: endless rounds of a second or two, with weights to pull."""
PORT = 5077


class ContainerSwarm(FaultySwarm):
    """docker/compose.yaml under a name of its own; its volumes are read from outside.

    Faults are made from this machine, as root, so the containers need no privileges.
    """

    def __init__(
        self,
        engine: Engine,
        session: Mapping[str, str],
        *,
        project: str = "swarm-test",
        port: int = PORT,
        data_dir: str | None = None,
    ) -> None:
        super().__init__(6)
        self._share_fork_server = False
        self.engine = engine
        self.project = project
        self.page = f"http://127.0.0.1:{port}/"
        self._env = {f"SWARM_{name.upper()}": value for name, value in session.items()}
        self._env |= {"SWARM_PROJECT": project, "SWARM_PORT": str(port), "SWARM_PEERS": "6"}
        if data_dir is not None:
            self._env["SWARM_DATA_DIR"] = data_dir
        self._state_dirs: dict[int, Path] = {}

    def __enter__(self) -> "ContainerSwarm":
        self.started_s = now_s()
        self.remove()
        self.compose("up", "--no-start")
        for index in range(6):
            self.peers.append(self._start(index))
        self.docker("start", f"{self.project}-dashboard")
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()
        for peer in self.peers:
            self._finish(peer)
        self._folder.cleanup()

    def docker(self, *arguments: str) -> str:
        """Run a docker command; return what it printed."""
        return _run(self.engine.docker, *arguments)

    def compose(self, *arguments: str) -> str:
        """Run a compose command on this composition."""
        files = ("--project-name", self.project, "--file", str(COMPOSE_FILE))
        return _run(*self.engine.compose, *files, *arguments, env=self._env)

    def remove(self) -> None:
        """Remove containers, network and volumes."""
        self.compose("down", "--volumes", "--timeout", "0", "--remove-orphans")

    def container(self, index: int) -> str:
        """Name of a peer's container."""
        return f"{self.project}-peer-{index + 1}"

    def state_dir(self, index: int) -> Path:
        """Where the engine keeps the peer's volume on this machine."""
        if index not in self._state_dirs:
            volume = f"{self.project}_peer-{index + 1}"
            mountpoint = self.docker("volume", "inspect", "--format", "{{.Mountpoint}}", volume)
            self._state_dirs[index] = Path(mountpoint.strip())
        return self._state_dirs[index]

    def link(self, index: int) -> Link:
        """The network connection of a running peer."""
        form = "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        pid, ip = self.docker("inspect", "--format", form, self.container(index)).split()
        return Link(int(pid), ip)

    def pids(self) -> list[int]:
        """All processes in all containers, as this machine numbers them."""
        names = self.docker("ps", "--filter", f"name={self.project}-", "--format", "{{.Names}}")
        return [
            int(pid)
            for name in names.split()
            for pid in self.docker("top", name, "-o", "pid").split()[1:]
        ]

    def pss_bytes(self) -> int:
        """Memory of the composition; a shared page counts in equal parts for its processes."""
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
        return total

    def page_answers(self) -> bool:
        """Whether the dashboard serves its page to this machine."""
        with urllib.request.urlopen(self.page, timeout=10) as answer:  # noqa: S310 - our own
            return bool(answer.status == 200)

    def stop_all(self) -> None:
        """Stop every container, as `docker compose stop` does; their volumes stay."""
        self.compose("stop", "--timeout", "10")
        for peer in self.peers:
            peer.process.wait()

    # -- what `FaultySwarm` does to processes

    def kill(self, index: int) -> None:
        """SIGKILL everything in a container."""
        self.docker("kill", self.container(index))
        self.peers[index].process.wait()

    def replace(self, index: int) -> None:
        """Replace a dead container by a new one with its volume."""
        self.docker("rm", self.container(index))
        self.compose("up", "--no-start", "--no-deps", f"peer-{index + 1}")
        self.restart(index)

    def freeze(self, index: int) -> None:
        """Freeze a container's processes; its connections stay open."""
        self.docker("pause", self.container(index))
        self._frozen.add(index)

    def thaw(self, index: int) -> None:
        """Let a frozen container continue."""
        self.docker("unpause", self.container(index))
        self._frozen.discard(index)

    def _start(self, index: int, options: Sequence[str] = ()) -> PeerProcess:
        since = datetime.datetime.now(datetime.UTC).isoformat()
        name = self.container(index)
        self.docker("start", name)
        follow = [self.engine.docker, "logs", "--follow", "--since", since, name]
        # It follows the container's log and ends with it, so it stands for the container.
        process = subprocess.Popen(
            follow, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        return self._attend(index, process, self.state_dir(index) / "report.json")

    def calm(self, indices: Iterable[int]) -> None:
        """Remove all faults from these peers' connections."""
        for index in indices:
            self.link(index).calm()

    def split(self, left: Collection[int], right: Collection[int]) -> None:
        """Let no packet pass between two groups, in either direction."""
        links = {index: self.link(index) for index in (*left, *right)}
        for a in left:
            for b in right:
                links[a].drop_from(links[b].ip)
                links[b].drop_from(links[a].ip)


def _run(*command: str, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-1000:]}")
    return done.stdout
