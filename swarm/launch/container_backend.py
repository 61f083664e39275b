"""Containers: a backend that runs the programs as docker/compose.yaml says."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import PIPE
from typing import Any

import trio

from swarm.core.errors import ConfigurationError
from swarm.launch.backend import Layout, OnProgress, Running, Say
from swarm.launch.container_lives import Lives
from swarm.launch.engine import Engine, run_command
from swarm.launch.image import SOURCES, build_image, image_name
from swarm.launch.launch_settings import LaunchSettings
from swarm.launch.output import OnLine, follow
from swarm.launch.programs import Program
from swarm.learning.datasets import ResolvedDataset
from swarm.learning.progress import Progress

COMPOSE_FILE = SOURCES / "docker" / "compose.yaml"
PEERS_IN_FILE = 6
"""So many peers docker/compose.yaml itself has."""
TIDY_WITHIN_S = 30.0
"""Removing seven stopped containers takes two seconds."""
GIVEN_MODEL = "/state/given-model.keras"


def project_name() -> str:
    """What the composition is called; a second one on this machine needs a name of its own."""
    return os.environ.get("SWARM_PROJECT", "swarm")


class Containers:
    """Each program is a container; all are one composition, gone with its volumes at the end."""

    name = "containers"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.project = project_name()
        self._image = image_name()
        self._files = ["-f", str(COMPOSE_FILE)]
        self._env: dict[str, str] = {}
        self._model: Path | None = None
        self._lives: Lives | None = None

    async def prepare(self, settings: LaunchSettings, say: Say) -> None:
        """Build the image, after making sure that no other run is in the way.

        Raises:
            ConfigurationError: A composition of that name runs, or the image cannot be built.
        """
        label = f"label=com.docker.compose.project={self.project}"
        running = await self._engine.run("ps", "--quiet", "--filter", label)
        if running.strip():
            raise ConfigurationError(
                f"a swarm named {self.project} is running in containers already: "
                "./run.sh stop ends it; SWARM_PROJECT=NAME starts another beside it"
            )
        say(f"building the image {self._image} (minutes the first time, seconds afterwards)")
        await build_image(self._engine, self._image, say)
        self._env = self._environment(settings)
        await self.close()  # what a run that was killed has left

    async def have_dataset(
        self, settings: LaunchSettings, name: str, progress: OnProgress
    ) -> ResolvedDataset:
        """Find, download or generate a built-in data set in a container, where peers find it.

        Raises:
            ConfigurationError: There is no such data set, or it cannot be had.
        """
        result: list[ResolvedDataset] = []

        def take(line: str) -> None:
            fields = json.loads(line)
            if "fraction" in fields:
                progress(Progress(**fields))
            else:
                result.append(ResolvedDataset(**fields))

        words: list[str] = []
        command = ["run", "--rm", "-T", "--no-deps", "peer-1"]
        module = ["python", "-m", "swarm.launch.dataset", name, "/data"]
        process = await trio.lowlevel.open_process(
            self._compose(*command, *module),
            stdout=PIPE,
            stderr=PIPE,
            env=os.environ | self._env,
            start_new_session=True,
        )
        await follow(process, words.append, take)
        if not result:
            raise ConfigurationError(words[-1].removeprefix("error: ") if words else "no data set")
        return result[0]

    async def lay_out(
        self, settings: LaunchSettings, session: Mapping[str, Any], run: Path
    ) -> Layout:
        """Create the containers; none runs yet.

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
            place = f"{self._container('peer-1')}:{GIVEN_MODEL}"
            await self._engine.run("cp", str(self._model), place)
        return Layout(
            peers=[Program(name, "swarm.peer", (), run / "peers" / name) for name in names],
            dashboard=Program("dashboard", "dashboard", (), run / "dashboard")
            if settings.dashboard
            else None,
        )

    async def start(
        self, nursery: trio.Nursery, program: Program, on_line: OnLine, on_output: OnLine
    ) -> Running:
        """Start a container and follow its log, and again whenever somebody starts it anew."""
        if self._lives is None:
            self._lives = Lives(self._engine, self.project)
            nursery.start_soon(self._lives.run)
        program.folder.mkdir(parents=True, exist_ok=True)
        container = self._container(program.name)
        await self._engine.run("start", container)
        running = _Container(self._engine, container, self._lives, nursery)
        nursery.start_soon(running.live, program, on_line, on_output)
        return running

    async def collect(self, programs: Sequence[Program]) -> None:
        """Copy what the peers have written of themselves out of their volumes."""
        async with trio.open_nursery() as nursery:
            for program in programs:
                nursery.start_soon(self._collect, program)

    async def close(self) -> None:
        """Remove the containers, their network and their volumes."""
        with trio.CancelScope(shield=True), trio.move_on_after(TIDY_WITHIN_S):
            await self._run_compose("down", "--volumes", "--remove-orphans", "--timeout", "3")

    def usage(self, settings: LaunchSettings, run: Path, dataset: str) -> list[str]:
        """Shell lines that load and evaluate the model without anything installed here."""
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
        for path in (program.report, program.model):
            source = f"{container}:/state/{path.name}"
            await self._engine.run("cp", source, str(path), check=False)  # it may have none yet

    def _environment(self, settings: LaunchSettings) -> dict[str, str]:
        env = {
            "SWARM_PROJECT": self.project,
            "SWARM_IMAGE": self._image,
            "SWARM_PEERS": str(settings.peers),
            "SWARM_PORT": str(settings.port),
            "SWARM_EXIT_WHEN_DONE": str(settings.once).lower(),
            "SWARM_LOG_LEVEL": "debug",
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
    """A compose file that adds the peers docker/compose.yaml does not have.

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
    def __init__(self, engine: Engine, name: str, lives: Lives, nursery: trio.Nursery) -> None:
        self._engine = engine
        self._name = name
        self._lives = lives
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

    async def live(self, program: Program, on_line: OnLine, on_output: OnLine) -> None:
        """Hand on its output until it ends; then wait for its next life, and so on."""
        since: list[str] = []
        try:
            while True:
                await self._follow(since, program, on_line, on_output)
                end = await self._lives.wait_ended(self._name)
                self._code = end.exit_code or 0
                self._restarted = trio.Event()
                self._ended.set()
                await self._lives.wait_started(self._name)
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
        process = await trio.lowlevel.open_process(
            [self._engine.docker, "logs", "--follow", *since, self._name],
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
        await follow(process, on_line, on_output, log=program.log)

    def _signal(self, name: str) -> None:
        if not self._ended.is_set():
            self._nursery.start_soon(self._send_signal, name)

    async def _send_signal(self, name: str) -> None:
        await self._engine.run("kill", "--signal", name, self._name, check=False)
