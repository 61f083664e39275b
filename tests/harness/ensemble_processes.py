"""An ensemble whose members are processes, which tests watch, stop and kill."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from swarm.core.ids import PeerId
from swarm.network.identity import load_or_create_identity
from tests.harness.house_rows import TARGET
from tests.harness.reserved_ports import reserved_ports
from tests.harness.watched_processes import end_all, wait_for

STOP_WITHIN_S = 20.0


@dataclass(slots=True)
class MemberProcess:
    """One member, its process and its files."""

    line: list[str]
    state: Path
    log: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes]

    @property
    def peer(self) -> PeerId:
        """Its id."""
        return load_or_create_identity(self.state).peer_id

    @property
    def said(self) -> str:
        """What it has printed and logged, in all its lives."""
        return self.log.read_text()

    @property
    def version(self) -> str:
        """The version of its champion, as it saved it; empty without one."""
        for path in (self.state / "ensembles").glob("*/member.json"):
            champion = json.loads(path.read_bytes())["champion"]
            return str(champion["version"]) if champion is not None else ""
        return ""

    def kill(self) -> None:
        """SIGKILL it, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> int:
        """Stop it as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_WITHIN_S)

    def restart(self) -> None:
        """Start it again with the same command."""
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                self.line, stdout=file, stderr=file, env={**os.environ, **self.environment}
            )

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


class EnsembleProcesses:
    """Starts members in a folder; ends all of them with the `with` block."""

    def __init__(self, root: Path) -> None:
        self.members: list[MemberProcess] = []
        self._root = root
        self._held = ExitStack()
        """Kept until the end: the reservation of the first member's port."""
        (self._port,) = self._held.enter_context(reserved_ports(1))
        self.address = f"127.0.0.1:{self._port}"
        """Of the first member, through which the others join."""

    def start(
        self, data: Path, *flags: str, environment: Mapping[str, str] | None = None
    ) -> MemberProcess:
        """Start a member; the first founds the ensemble."""
        name = f"member-{len(self.members)}"
        state, log = self._root / name, self._root / f"{name}.log"
        place = (
            ["127.0.0.1", "0", self.address] if self.members else ["127.0.0.1", str(self._port)]
        )
        line = [sys.executable, "-m", "swarm.ensemble", "serve", "--data", str(data)]
        line += ["--target", TARGET, "--state", str(state), "--log-level", "info", *flags, *place]
        with log.open("wb") as file:
            process = subprocess.Popen(
                line, stdout=file, stderr=file, env={**os.environ, **(environment or {})}
            )
        member = MemberProcess(line, state, log, environment or {}, process)
        self.members.append(member)
        return member

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Wait until a condition holds.

        Raises:
            TimeoutError: It did not hold in time, or a member ended with an error; the message
                has the ends of all logs.
        """
        wait_for(condition, what, timeout_s, self._logs, self._has_crashed)

    def _logs(self) -> str:
        return "\n".join(f"{m.log.name}: {m.said[-1500:]}" for m in self.members)

    def _has_crashed(self) -> bool:
        return any((member.process.poll() or 0) > 0 for member in self.members)

    def __enter__(self) -> "EnsembleProcesses":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()
        end_all([member.process for member in self.members], STOP_WITHIN_S)
