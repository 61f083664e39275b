"""Peers as processes: started, their JSON log lines collected, stopped."""

import datetime
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from swarm.peer.processes import fork_server
from tests.harness.reserved_ports import reserved_ports

STOP_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Line:
    """One log line of one peer."""

    peer: int
    at_s: float
    """When it was logged, by the wall clock; all processes are on one machine."""
    event: str
    fields: dict[str, Any]


@dataclass(slots=True)
class PeerProcess:
    """One peer, its files and its reader thread."""

    index: int
    process: subprocess.Popen[str]
    report: Path
    reader: threading.Thread | None = None
    lines: list[Line] = field(default_factory=list)
    other_lines: list[str] = field(default_factory=list)

    def logged(self, event: str, fields: dict[str, Any]) -> bool:
        """Whether a line of this event has these fields."""
        return any(
            line.event == event and fields.items() <= line.fields.items() for line in self.lines
        )


class SwarmProcesses:
    """Context manager for the peers of one session on loopback, each on its own port."""

    def __init__(
        self,
        num_peers: int,
        session: Sequence[str],
        peer_options: Sequence[str] = (),
        *,
        start: int | None = None,
        export: bool = False,
        share_fork_server: bool = True,
    ):
        self._share_fork_server = share_fork_server and fork_server.is_supported()
        self._fork_server: subprocess.Popen[str] | None = None
        self._num_started = num_peers if start is None else start
        self._export = export
        self._folder = tempfile.TemporaryDirectory(prefix="swarm-benchmark-")
        self._session = list(session)
        self._options = list(peer_options)
        self._num_peers = num_peers
        self._changed = threading.Condition()
        self.peers: list[PeerProcess] = []
        self.ports: Sequence[int] = ()
        self._held = ExitStack()
        """Kept while the swarm lives: the reservation of its ports."""
        self.started_s = 0.0

    def __enter__(self) -> "SwarmProcesses":
        self.started_s = now_s()
        self.ports = self._held.enter_context(reserved_ports(self._num_peers))
        if self._share_fork_server:
            self._fork_server = self._start_fork_server()
        for index in range(self._num_started):
            self.peers.append(self._start(index))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for peer in self.peers:
            if peer.process.poll() is None:
                peer.process.terminate()
        for peer in self.peers:
            self._finish(peer)
        if self._fork_server is not None:
            try:
                self._fork_server.communicate(timeout=STOP_WITHIN_S)  # it ends when stdin closes
            except subprocess.TimeoutExpired:
                self._fork_server.kill()
                self._fork_server.communicate()
        self._held.close()
        self._folder.cleanup()

    def _finish(self, peer: PeerProcess) -> None:
        """Wait for the end of a process, and for the last of its lines."""
        try:
            peer.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            peer.process.kill()
            peer.process.wait()
        if peer.reader is not None:
            peer.reader.join(STOP_WITHIN_S)
        if peer.process.stderr is not None:
            peer.process.stderr.close()

    def wait_ended(self, timeout_s: float) -> None:
        """Wait until every peer has ended by itself."""
        deadline_s = now_s() + timeout_s
        for peer in self.peers:
            peer.process.wait(max(0.1, deadline_s - now_s()))
            if peer.reader is not None:
                peer.reader.join(STOP_WITHIN_S)

    def wait_event(
        self, event: str, timeout_s: float, num_peers: int | None = None, **fields: Any
    ) -> None:
        """Wait until `num_peers` peers have logged an event with these fields."""
        wanted = self._num_peers if num_peers is None else num_peers
        self.wait_until(
            lambda: sum(peer.logged(event, fields) for peer in self.peers) >= wanted,
            timeout_s,
            f"{event} {fields or ''} from {wanted} peers",
        )

    def wait_until(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Wait until a condition on the log lines holds.

        Raises:
            TimeoutError: It did not hold within `timeout_s`.
        """
        with self._changed:
            if not self._changed.wait_for(condition, timeout_s):
                raise TimeoutError(f"no {what} within {timeout_s} s")

    @property
    def lines(self) -> list[Line]:
        """All log lines so far, in order of time."""
        with self._changed:
            everything = [line for peer in self.peers for line in peer.lines]
        return sorted(everything, key=lambda line: line.at_s)

    def reports(self) -> list[dict[str, Any]]:
        """What each peer achieved."""
        return [json.loads(peer.report.read_text()) for peer in self.peers]

    def pids(self) -> list[int]:
        """The peers' processes; their workers are not among them."""
        return [peer.process.pid for peer in self.peers]

    def kill(self, index: int) -> None:
        """SIGKILL a peer; its worker ends by itself."""
        self.peers[index].process.kill()
        self.peers[index].process.wait()

    def restart(self, index: int) -> None:
        """Start a dead peer again, with the same identity, state and port."""
        earlier = self.peers[index]
        if earlier.reader is not None:
            earlier.reader.join(STOP_WITHIN_S)
        if earlier.process.stderr is not None:
            earlier.process.stderr.close()
        self.peers[index] = self._start(index)

    def start_next(self, options: Sequence[str] = ()) -> None:
        """Start one of the peers that were not started at the beginning."""
        self.peers.append(self._start(len(self.peers), options))

    def said(self, index: int) -> str:
        """What a peer wrote besides log lines, after it ended."""
        peer = self.peers[index]
        if peer.reader is not None:
            peer.reader.join(STOP_WITHIN_S)
        return "".join(peer.other_lines)

    def export_path(self, index: int) -> Path:
        """Where a peer writes its model at the end, if the options say so."""
        return Path(self._folder.name) / f"model-{index}.keras"

    def state_dir(self, index: int) -> Path:
        """Where a peer keeps its state."""
        return Path(self._folder.name) / f"peer-{index + 1}"

    def ip(self, index: int) -> str:
        """Where others dial a peer; a subclass may put peers into networks of their own."""
        return "127.0.0.1"

    def listen_ip(self, index: int) -> str:
        """The address on which a peer listens: that of `ip`, unless a subclass overrides it."""
        return self.ip(index)

    def bootstrap_of(self, index: int) -> int | None:
        """The address through which a peer joins; None starts a swarm."""
        return 0 if index > 0 else None

    def launch_prefix(self, index: int) -> Sequence[str]:
        """The prefix of the command that starts a peer."""
        return ()

    def _start(self, index: int, options: Sequence[str] = ()) -> PeerProcess:
        report = Path(self._folder.name) / f"report-{index}.json"
        via = self.bootstrap_of(index)
        bootstraps = [] if via is None else [f"{_bracketed(self.ip(via))}:{self.ports[via]}"]
        session = self._session if index == 0 else []
        command = [
            *(*self.launch_prefix(index), sys.executable, "-m", "swarm.peer"),
            *(self.listen_ip(index), str(self.ports[index]), *bootstraps),
            *("--name", f"peer-{index + 1}", "--state", str(self.state_dir(index))),
            *("--partition", f"{index + 1}/{self._num_peers}", "--report", str(report)),
            *("--log-format", "json", *session, *self._options, *options),
            *(["--export", str(self.export_path(index))] if self._export else []),
        ]
        if self._fork_server is not None:
            command += ["--fork-server", str(self._fork_server_socket)]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        return self._attend(index, process, report)

    def _attend(self, index: int, process: "subprocess.Popen[str]", report: Path) -> PeerProcess:
        """Read a peer's log lines from its stderr, in a thread."""
        peer = PeerProcess(index, process, report)
        peer.reader = threading.Thread(target=self._read, args=(peer,), daemon=True)
        peer.reader.start()
        return peer

    @property
    def _fork_server_socket(self) -> Path:
        return Path(self._folder.name, "fork-server", "socket")

    def _start_fork_server(self) -> "subprocess.Popen[str]":
        """Start it; it loads while the peers start, and they wait for it once it listens."""
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "swarm.peer.processes.fork_server",
                str(self._fork_server_socket),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # TensorFlow's messages; if it dies, the peers report that
            text=True,
            start_new_session=True,  # Ctrl-C is for the peers only: they still need their workers
        )
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def _read(self, peer: PeerProcess) -> None:
        assert peer.process.stderr is not None
        for text in peer.process.stderr:
            try:
                fields = json.loads(text)
                at_s = datetime.datetime.fromisoformat(fields.pop("timestamp")).timestamp()
            except (ValueError, KeyError):
                peer.other_lines.append(text)
                sys.stderr.write(text)  # a traceback or a library's warning: show it
                continue
            with self._changed:
                peer.lines.append(Line(peer.index, at_s, fields.pop("event"), fields))
                self._changed.notify_all()


def _bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


def now_s() -> float:
    """The wall clock, as in the peers' log lines."""
    return datetime.datetime.now(datetime.UTC).timestamp()
