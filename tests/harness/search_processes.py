"""A swarm of searching peers, each a process, which tests watch and kill."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from swarm.core.errors import ConfigurationError
from swarm.peer.search.ledger_file import ENTRIES, read_ledger
from swarm.peer.search.search_settings import STUDIES_FOLDER
from swarm.search.study_ledger import StudyLedger
from tests.harness.reserved_ports import reserved_ports
from tests.harness.watched_processes import end_all, wait_for

STOP_WITHIN_S = 10.0
_RECORDED, _CLOSED = '"kind": "Recorded"', '"kind": "Closed"'


@dataclass(slots=True)
class SearchProcess:
    """One peer, its process and its files."""

    name: str
    state: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def folder(self) -> Path | None:
        """The folder of its study, once it has one."""
        folders = sorted((self.state / STUDIES_FOLDER).glob("*"))
        return folders[0] if folders else None

    @property
    def ledger(self) -> StudyLedger | None:
        """The ledger entries it has written."""
        try:
            return read_ledger(self.folder) if self.folder is not None else None
        except ConfigurationError:  # its first line is not complete yet
            return None

    @property
    def num_results(self) -> int:
        """Number of results it has written; cheap, because it is read often during timing."""
        path = self.folder / ENTRIES if self.folder is not None else None
        return path.read_text().count(_RECORDED) if path is not None and path.exists() else 0

    @property
    def is_over(self) -> bool:
        """Whether it knows that the study is over."""
        path = self.folder / ENTRIES if self.folder is not None else None
        return path is not None and path.exists() and _CLOSED in path.read_text()

    def kill(self) -> None:
        """SIGKILL it, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> int:
        """Stop it as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_WITHIN_S)

    def events(self) -> list[dict[str, Any]]:
        """Its log lines."""
        lines = self.log.read_text().splitlines(keepends=True)
        # The last one may be incomplete.
        whole = (line for line in lines if line.startswith("{") and line.endswith("\n"))
        return [json.loads(line) for line in whole]


class SearchProcesses:
    """Starts peers in a folder; ends all of them with the `with` block."""

    def __init__(self, root: Path) -> None:
        self.peers: list[SearchProcess] = []
        self._root = root
        self._held = ExitStack()
        """Kept until the end: the reservation of the first peer's port."""
        (self._port,) = self._held.enter_context(reserved_ports(1))
        self.address = f"127.0.0.1:{self._port}"
        """Port of the first peer, through which the others join."""

    def start(self, *command: str, slots: int = 1, name: str = "") -> SearchProcess:
        """Start a peer: `worker`, `run FILE`, `resume FOLDER`; the first is the bootstrap."""
        name = name or f"peer-{len(self.peers)}"
        line = [sys.executable, "-m", "swarm.search", *command, "--slots", str(slots)]
        line += ["--log-level", "debug", "--log-format", "json"]
        if not self.peers:
            line += ["--port", str(self._port)]
        else:
            line += ["--bootstrap", self.address]
        state = self._root / name
        if command[0] != "resume":
            line += ["--state", str(state)]
        log = self._root / f"{name}-{len(self.peers)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(line, stdout=file, stderr=file)
        peer = SearchProcess(name, state, log, process)
        self.peers.append(peer)
        return peer

    def write_study(self, document: dict[str, Any]) -> Path:
        """Write a study file."""
        path = self._root / "study.json"
        path.write_text(json.dumps(document))
        return path

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Wait until a condition holds.

        Raises:
            TimeoutError: It did not hold in time; the message has the ends of all logs.
        """
        wait_for(condition, what, timeout_s, self._logs)

    def _logs(self) -> str:
        return "\n".join(f"{p.log.name}: {p.log.read_text()[-1500:]}" for p in self.peers)

    def __enter__(self) -> "SearchProcesses":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()
        end_all([peer.process for peer in self.peers], STOP_WITHIN_S)
