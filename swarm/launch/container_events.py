"""ContainerEvents: starts and ends of the containers of a project, as the engine reports them.

A user may start a container again by hand, for example with `docker start`.
"""

import json
from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime

import trio

from swarm.launch.docker_engine import Engine
from swarm.launch.process_output import follow_command

KEPT_MAX = 64
"""Events kept per container until they are read; users cause only a few."""
_SIGNAL_BASE = 128
"""The exit code of a container that a signal ended is this plus the number of the signal."""
_KILLED = -9


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """The start or the end of a container."""

    at_ns: int
    """Time by the engine's clock."""
    exit_code: int | None = None
    """None for a start. If a signal ended the container, its negative number."""


class ContainerEvents:
    """Listens to the engine, and keeps the events of each container until they are read."""

    def __init__(self, engine: Engine, project: str) -> None:
        self._engine = engine
        self._project = project
        self._events: defaultdict[str, deque[ContainerEvent]] = defaultdict(
            lambda: deque(maxlen=KEPT_MAX)
        )
        self._waiting = trio.lowlevel.ParkingLot()
        self._engine_is_gone = False

    async def run(self) -> None:
        """Listen from now on. If the engine ends, its containers have ended as well."""
        now = datetime.now(UTC).timestamp()
        filters = [f"label=com.docker.compose.project={self._project}", "event=start", "event=die"]
        command = [
            *(self._engine.docker, "events", "--since", f"{now:.6f}"),
            *(word for text in filters for word in ("--filter", text)),
            *("--format", "{{json .}}"),
        ]
        await follow_command(command, lambda _line: None, self._take)
        self._engine_is_gone = True
        self._waiting.unpark_all()

    async def wait_ended(self, container: str) -> ContainerEvent:
        """Wait for the next end of a container; earlier events are dropped."""
        return await self._wait(container, ended=True)

    async def wait_started(self, container: str) -> ContainerEvent:
        """Wait for the next start of a container; earlier events are dropped."""
        return await self._wait(container, ended=False)

    async def _wait(self, container: str, *, ended: bool) -> ContainerEvent:
        events = self._events[container]
        while True:
            while events:
                event = events.popleft()
                if (event.exit_code is not None) is ended:
                    return event
            if self._engine_is_gone and ended:
                return ContainerEvent(0, _KILLED)
            await self._waiting.park()

    def _take(self, line: str) -> None:
        event = json.loads(line)
        attributes = event["Actor"]["Attributes"]
        code = None
        if event["Action"] == "die":
            code = int(attributes["exitCode"])
            code = _SIGNAL_BASE - code if code > _SIGNAL_BASE else code
        self._events[attributes["name"]].append(ContainerEvent(event["timeNano"], code))
        self._waiting.unpark_all()
