"""ContainerEvents: when the containers of a composition start and end, as their engine tells.

Whoever starts a container again by hand, as with `docker start`, begins another life of it.
"""

import json
from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from subprocess import PIPE

import trio

from swarm.launch.docker_engine import Engine
from swarm.launch.process_output import follow

KEPT_MAX = 64
"""Starts and ends of a container that nobody has asked about; people make few of them."""
_SIGNAL_BASE = 128
"""A container's exit code for the signal that ended it is that much more than its number."""
_KILLED = -9


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """A container was started, or has ended."""

    at_ns: int
    """By the engine's clock."""
    exit_code: int | None = None
    """None if it was started; negative for the number of the signal that ended it."""


class ContainerEvents:
    """Listens to the engine; what it tells of a container waits for whoever asks about it."""

    def __init__(self, engine: Engine, project: str) -> None:
        self._engine = engine
        self._project = project
        self._told: defaultdict[str, deque[ContainerEvent]] = defaultdict(
            lambda: deque(maxlen=KEPT_MAX)
        )
        self._someone_waits = trio.lowlevel.ParkingLot()
        self._engine_is_gone = False

    async def run(self) -> None:
        """Listen from this moment on; where the engine goes, its containers go with it."""
        now = datetime.now(UTC).timestamp()
        filters = [f"label=com.docker.compose.project={self._project}", "event=start", "event=die"]
        process = await trio.lowlevel.open_process(
            [
                *(self._engine.docker, "events", "--since", f"{now:.6f}"),
                *(word for text in filters for word in ("--filter", text)),
                *("--format", "{{json .}}"),
            ],
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
        await follow(process, lambda _line: None, self._take)
        self._engine_is_gone = True
        self._someone_waits.unpark_all()

    async def wait_ended(self, container: str) -> ContainerEvent:
        """Wait for a container's next end; what happened before it is forgotten."""
        return await self._wait(container, ended=True)

    async def wait_started(self, container: str) -> ContainerEvent:
        """Wait for a container's next start; what happened before it is forgotten."""
        return await self._wait(container, ended=False)

    async def _wait(self, container: str, *, ended: bool) -> ContainerEvent:
        told = self._told[container]
        while True:
            while told:
                happening = told.popleft()
                if (happening.exit_code is not None) is ended:
                    return happening
            if self._engine_is_gone and ended:
                return ContainerEvent(0, _KILLED)
            await self._someone_waits.park()

    def _take(self, line: str) -> None:
        event = json.loads(line)
        attributes = event["Actor"]["Attributes"]
        code = None
        if event["Action"] == "die":
            code = int(attributes["exitCode"])
            code = _SIGNAL_BASE - code if code > _SIGNAL_BASE else code
        self._told[attributes["name"]].append(ContainerEvent(event["timeNano"], code))
        self._someone_waits.unpark_all()
