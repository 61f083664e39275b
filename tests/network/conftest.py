"""Starts peers in their own processes, and waits for what they report."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

SCRIPT = Path(__file__).with_name("peer_process.py")
START_TIMEOUT_S = 30


class PeerFailedError(Exception):
    """A peer process answered a command with an error, or ended."""


class PeerProcess:
    """One peer: its process, its answers, and the events it has reported so far."""

    def __init__(self, process: trio.Process, nursery: trio.Nursery) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self.other: dict[str, dict[str, Any]] = {}
        self._changed = trio.Event()
        self._ids = itertools.count()
        self._sending = trio.Lock()
        nursery.start_soon(self._read)

    @property
    def peer_id(self) -> str:
        return str(self.other["ready"]["peer"])

    @property
    def address(self) -> str:
        """As `ip:port`."""
        _, _, ip, _, port, *_ = self.other["ready"]["addresses"][0].split("/")
        return f"{ip}:{port}"

    async def tell(self, do: str, **arguments: Any) -> Any:
        """Send a command and wait for its answer."""
        number = next(self._ids)
        line = json.dumps({"id": number, "do": do, "with": arguments}) + "\n"
        assert self.process.stdin is not None
        async with self._sending:
            await self.process.stdin.send_all(line.encode())
        answer = await self.wait_other(f"answer{number}")
        if "error" in answer:
            raise PeerFailedError(f"{answer['error']}: {answer['message']}")
        return answer["result"]

    async def wait_other(self, kind: str) -> dict[str, Any]:
        """Wait for an answer, or for `ready`, `stopped` or `failed`."""
        await self.wait(lambda: kind in self.other)
        return self.other[kind]

    async def wait_event(self, event: str, start: int = 0, **fields: Any) -> dict[str, Any]:
        """Wait for an event with these fields, at place `start` of the list or later."""

        def match(candidate: dict[str, Any]) -> bool:
            return candidate["event"] == event and fields.items() <= candidate.items()

        await self.wait(lambda: any(map(match, self.events[start:])))
        return next(filter(match, self.events[start:]))

    async def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until the process reported enough for `condition`."""
        with trio.fail_after(START_TIMEOUT_S):
            while not condition():
                await self._changed.wait()

    async def wait_connected(self, *peers: "PeerProcess") -> None:
        """Wait until this peer is connected to all of `peers`."""
        for peer in peers:
            await self.wait(lambda peer=peer: self._is_connected(peer.peer_id))  # type: ignore[misc]

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(signal.Signals(number))

    async def stop(self) -> float:
        """Stop it cleanly; return how many seconds that took."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        took_s = (await self.wait_other("stopped"))["took_s"]
        await self.process.wait()
        return float(took_s)

    def _is_connected(self, peer: str) -> bool:
        state = False
        for event in self.events:
            if event.get("peer") == peer:
                state = event["event"] == "PeerConnected"
        return state

    async def _read(self) -> None:
        assert self.process.stdout is not None
        buffer = b""
        async for chunk in self.process.stdout:
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
            self._changed.set()
            self._changed = trio.Event()

    def _take(self, report: dict[str, Any]) -> None:
        if "event" in report:
            self.events.append(report)
        elif "answer" in report:
            self.other[f"answer{report['answer']}"] = report
        else:
            self.other[next(iter(report))] = report


StartPeer = Callable[..., Awaitable[PeerProcess]]


@pytest.fixture
async def start_peer(tmp_path: Path) -> AsyncIterator[StartPeer]:
    """Start peers with `await start_peer("name", bootstrap, ...)`; all are killed at the end."""
    async with _starter(tmp_path) as start:
        yield start


@asynccontextmanager
async def _starter(folder: Path) -> AsyncIterator[StartPeer]:
    processes: list[trio.Process] = []
    async with trio.open_nursery() as nursery:

        async def start(
            name: str, *bootstraps: str, port: int = 0, wait: bool = True
        ) -> PeerProcess:
            command = [sys.executable, "-W", "error", str(SCRIPT), str(folder / name)]
            process = await trio.lowlevel.open_process(
                [*command, "127.0.0.1", str(port), *bootstraps],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            )
            processes.append(process)
            peer = PeerProcess(process, nursery)
            if wait:
                await peer.wait_other("ready")
            return peer

        try:
            yield start
        finally:
            with trio.CancelScope(shield=True):
                for process in processes:
                    process.kill()
                    await process.wait()
            nursery.cancel_scope.cancel()
