"""Containers: a backend that runs the programs in containers, by docker/compose.yaml."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import trio

from swarm.core.errors import ConfigurationError
from swarm.launch.backend import Layout, OnProgress, Running, Say
from swarm.launch.container_events import ContainerEvents
from swarm.launch.docker_engine import Engine, run_command
from swarm.launch.docker_image import SOURCES, build_image, image_name
from swarm.launch.launch_settings import LaunchSettings
from swarm.launch.process_output import OnLine, follow_command
from swarm.launch.programs import Program
from swarm.learning.datasets import ResolvedDataset
from swarm.learning.progress import Progress
from swarm.peer.federation.best_model import best_path
from swarm.peer.processes.cores import THREADS_VARIABLE

COMPOSE_FILE = SOURCES / "docker" / "compose.yaml"
PEERS_IN_FILE = 6
"""Number of peers in docker/compose.yaml."""
TIDY_WITHIN_S = 30.0
"""Removing seven stopped containers takes two seconds."""
GIVEN_MODEL = "/state/given-model.keras"


def project_name() -> str:
    """Return the name of the compose project. A second one on this machine needs another name."""
    return os.environ.get("SWARM_PROJECT", "swarm")


class Containers:
    """Runs each program in a container.

    All containers belong to one compose project, which is removed with its volumes at the end.
    """

    name = "containers"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.project = project_name()
        self._image = image_name()
        self._files = ["-f", str(COMPOSE_FILE)]
        self._env: dict[str, str] = {}
        self._model: Path | None = None
        self._events: ContainerEvents | None = None

    async def prepare(self, settings: LaunchSettings, say: Say) -> None:
        """Check that no other run uses the project's name, then build the image.

        Raises:
            ConfigurationError: A project of this name is running, or the build failed.
        """
        label = f"label=com.docker.compose.project={self.project}"
        running = await self._engine.run("ps", "--quiet", "--filter", label)
        if running.strip():
            raise ConfigurationError(
                f"a swarm named {self.project} is already running in containers: "
                "end it with ./run.sh stop, or start another one with SWARM_PROJECT=NAME"
            )
        say(f"building the image {self._image}, which takes minutes only the first time")
        await build_image(self._engine, self._image, say)
        self._env = self._environment(settings)
        await self.close()  # removes what a killed run has left behind

    async def prepare_dataset(
        self, settings: LaunchSettings, name: str, progress: OnProgress
    ) -> ResolvedDataset:
        """Find, download or generate a built-in data set in a container that shares the volumes.

        Raises:
            ConfigurationError: There is no such data set, or it is not available.
        """
        result: list[ResolvedDataset] = []

        def take(line: str) -> None:
            fields = json.loads(line)
            if "fraction" in fields:
                progress(Progress(**fields))
            else:
                result.append(ResolvedDataset(**fields))

        errors: list[str] = []
        command = ["run", "--rm", "-T", "--no-deps", "peer-1"]
        module = ["python", "-m", "swarm.launch.dataset", name, "/data"]
        await follow_command(
            self._compose(*command, *module), errors.append, take, env=os.environ | self._env
        )
        if not result:
            reason = errors[-1].removeprefix("error: ") if errors else "no data set"
            raise ConfigurationError(reason)
        return result[0]

    async def lay_out(
        self, settings: LaunchSettings, session: Mapping[str, Any], run: Path
    ) -> Layout:
        """Create the containers without starting them.

        Raises:
            ConfigurationError: The engine refused.
        """
        for field, value in session.items():
            self._env[f"SWARM_{field.upper()}"] = str(value)
        model = str(session.get("model", ""))
        if model.endswith(".keras"):
            self._model = Path(model)
            self._env["SWARM_MODEL"] = GIVEN_MODEL
        names = [f"peer-{number}" for number in range(1, settings.peers + 1)]
        if settings.peers > PEERS_IN_FILE:
            more = run / "compose.json"
            more.write_text(json.dumps(more_peers(names, self.project), indent=1) + "\n")
            self._files += ["-f", str(more)]
        dashboard = ["dashboard"] if settings.dashboard else []
        await self._run_compose("up", "--no-start", *names, *dashboard)
        if self._model is not None:
            target = f"{self._container('peer-1')}:{GIVEN_MODEL}"
            await self._engine.run("cp", str(self._model), target)
        return Layout(
            peers=[Program(name, "swarm.peer", (), run / "peers" / name) for name in names],
            dashboard=Program("dashboard", "dashboard", (), run / "dashboard")
            if settings.dashboard
            else None,
        )

    async def start(
        self, nursery: trio.Nursery, program: Program, on_line: OnLine, on_output: OnLine
    ) -> Running:
        """Start a container and follow its log. Do so again each time a user restarts it."""
        if self._events is None:
            self._events = ContainerEvents(self._engine, self.project)
            nursery.start_soon(self._events.run)
        program.folder.mkdir(parents=True, exist_ok=True)
        container = self._container(program.name)
        await self._engine.run("start", container)
        running = _Container(self._engine, container, self._events, nursery)
        nursery.start_soon(running.follow_output, program, on_line, on_output)
        return running

    async def collect(self, programs: Sequence[Program]) -> None:
        """Copy the peers' reports and models out of their volumes."""
        async with trio.open_nursery() as nursery:
            for program in programs:
                nursery.start_soon(self._collect, program)

    async def close(self) -> None:
        """Remove the containers, their network and their volumes."""
        with trio.CancelScope(shield=True), trio.move_on_after(TIDY_WITHIN_S):
            await self._run_compose("down", "--volumes", "--remove-orphans", "--timeout", "3")

    def usage(self, settings: LaunchSettings, run: Path, dataset: str) -> list[str]:
        """Return shell lines that load and evaluate the model in a container."""
        mounts = ["--volume", f"{run.absolute()}:/run:ro"]
        where = []
        if settings.data_dir is not None:
            mounts += ["--volume", f"{settings.data_dir}:/data:ro"]
            where = ["--data-dir", "/data"]
        docker = ["docker", "run", "--rm", *mounts, self._image, "python"]
        load = "import keras; keras.models.load_model('/run/model.keras').summary()"
        evaluate = ["-m", "swarm.learning", "evaluate", "/run/model.keras", "--dataset", dataset]
        return [shlex.join([*docker, "-c", load]), shlex.join([*docker, *evaluate, *where])]

    async def _collect(self, program: Program) -> None:
        container = self._container(program.name)
        for path in (program.report, program.model, best_path(program.model)):
            source = f"{container}:/state/{path.name}"
            await self._engine.run("cp", source, str(path), check=False)  # may not exist yet

    def _environment(self, settings: LaunchSettings) -> dict[str, str]:
        env = {
            "SWARM_PROJECT": self.project,
            "SWARM_IMAGE": self._image,
            "SWARM_PEERS": str(settings.peers),
            "SWARM_PORT": str(settings.port),
            "SWARM_EXIT_WHEN_DONE": str(settings.once).lower(),
            "SWARM_LOG_LEVEL": "debug",
            THREADS_VARIABLE: str(settings.threads_each),
        }
        if settings.data_dir is not None:
            env["SWARM_DATA_DIR"] = str(settings.data_dir)
        return env

    def _container(self, name: str) -> str:
        return f"{self.project}-{name}"

    def _compose(self, *arguments: str) -> list[str]:
        return [*self._engine.compose, "-p", self.project, *self._files, *arguments]

    async def _run_compose(self, *arguments: str) -> None:
        await run_command(self._compose(*arguments), env=self._env)


def more_peers(names: Sequence[str], project: str) -> dict[str, Any]:
    """Make a compose file with the peers that docker/compose.yaml lacks.

    Args:
        names: All peers, in order.
        project: Prefix of the containers' names.
    """
    services = {}
    added = list(enumerate(names, 1))[PEERS_IN_FILE:]
    for number, name in added:
        services[name] = {
            "extends": {"file": str(COMPOSE_FILE), "service": f"peer-{PEERS_IN_FILE}"},
            "container_name": f"{project}-{name}",
            "environment": {"SWARM_NAME": name, "SWARM_PARTITION": f"{number}/{len(names)}"},
            "volumes": [f"{name}:/state"],
        }
    return {"services": services, "volumes": {name: {} for _, name in added}}


class _Container:
    def __init__(
        self, engine: Engine, name: str, events: ContainerEvents, nursery: trio.Nursery
    ) -> None:
        self._engine = engine
        self._name = name
        self._events = events
        self._nursery = nursery
        self._ended, self._restarted = trio.Event(), trio.Event()
        self._code = 0

    async def wait(self) -> int:
        await self._ended.wait()
        return self._code

    async def wait_restarted(self) -> None:
        await self._restarted.wait()

    def stop(self) -> None:
        self._signal("INT")

    def kill(self) -> None:
        self._signal("KILL")

    async def follow_output(self, program: Program, on_line: OnLine, on_output: OnLine) -> None:
        """Read its output until it ends; then wait until it is started again, and repeat."""
        since: list[str] = []
        try:
            while True:
                await self._follow(since, program, on_line, on_output)
                end = await self._events.wait_ended(self._name)
                self._code = end.exit_code or 0
                self._restarted = trio.Event()
                self._ended.set()
                await self._events.wait_started(self._name)
                since = ["--since", f"{end.at_ns // 10**9}.{end.at_ns % 10**9:09}"]
                self._ended = trio.Event()
                self._restarted.set()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(TIDY_WITHIN_S):
                if not self._ended.is_set():
                    await self._engine.run("kill", self._name, check=False)
            self._ended.set()

    async def _follow(
        self, since: list[str], program: Program, on_line: OnLine, on_output: OnLine
    ) -> None:
        command = [self._engine.docker, "logs", "--follow", *since, self._name]
        await follow_command(command, on_line, on_output, log=program.log)

    def _signal(self, name: str) -> None:
        if not self._ended.is_set():
            self._nursery.start_soon(self._send_signal, name)

    async def _send_signal(self, name: str) -> None:
        await self._engine.run("kill", "--signal", name, self._name, check=False)
