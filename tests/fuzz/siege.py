"""A siege: a victim, an honest peer that keeps asking, and one attack after another."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import trio

from tests.fuzz.attacker import an_attacker
from tests.fuzz.attacks import Attack

SCRIPT = Path(__file__).with_name("victim.py")
ASK_EVERY_S = 0.25
ANSWER_WITHIN_S = 15.0
START_WITHIN_S = 60.0
SETTLE_WITHIN_S = 10.0
BLOB_BYTES = 200_000


class Peer:
    """A process that runs victim.py: the victim or the honest peer."""

    def __init__(self, process: trio.Process, nursery: trio.Nursery) -> None:
        self.process = process
        self._answers: dict[str, Any] = {}
        self._changed = trio.Event()
        self._number = 0
        self._sending = trio.Lock()
        nursery.start_soon(self._read)

    @property
    def peer_id(self) -> str:
        return str(self._answers["ready"]["peer"])

    @property
    def address(self) -> str:
        _, _, ip, _, port, *_ = self._answers["ready"]["addresses"][0].split("/")
        return f"{ip}:{port}"

    async def tell(self, do: str, **arguments: Any) -> Any:
        """Send a command and return its result."""
        self._number += 1
        number = str(self._number)
        line = json.dumps({"id": number, "do": do, "with": arguments}) + "\n"
        assert self.process.stdin is not None
        async with self._sending:
            await self.process.stdin.send_all(line.encode())
        await self.wait_for(number)
        return self._answers.pop(number)["result"]

    async def wait_for(self, key: str) -> None:
        """Wait for an answer, or for `ready`."""
        with trio.fail_after(START_WITHIN_S):
            while key not in self._answers:
                await self._changed.wait()

    async def _read(self) -> None:
        assert self.process.stdout is not None
        buffer = b""
        async for chunk in self.process.stdout:
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                report = json.loads(line)
                self._answers[report.get("answer", next(iter(report)))] = report
            self._changed.set()
            self._changed = trio.Event()


@dataclass
class Outcome:
    """The effect of an attack on the victim."""

    before: dict[str, Any]
    after: dict[str, Any]
    took_s: float
    answers_s: list[float] = field(default_factory=list)
    """Seconds until each answer that the honest peer got during the attack."""
    num_unanswered: int = 0

    @property
    def refused(self) -> dict[str, int]:
        """Number of refusals during the attack, by reason."""
        earlier = self.before["refused"]
        counts = {k: v - earlier.get(k, 0) for k, v in self.after["refused"].items()}
        return {reason: count for reason, count in counts.items() if count}

    @property
    def grown_mb(self) -> float:
        return float(self.after["rss_mb"] - self.before["rss_mb"])

    def __str__(self) -> str:
        refused = " ".join(f"{reason}={count}" for reason, count in sorted(self.refused.items()))
        return (
            f"{self.took_s:5.1f} s, {self.after['rss_mb']:.0f} MB ({self.grown_mb:+.1f}), "
            f"busy at most {1000 * self.after['busy_max_s']:.0f} ms, "
            f"{self.after['cpu_s'] - self.before['cpu_s']:.1f} s CPU, answers within "
            f"{max(self.answers_s, default=float('nan')):.2f} s; {refused}"
        )


class Siege:
    """The victim, the honest peer, and the folder of their state."""

    def __init__(self, victim: Peer, honest: Peer, folder: Path, blob: dict[str, Any]) -> None:
        self.victim = victim
        self.honest = honest
        self.folder = folder
        self._blob = blob
        self._asking = trio.Lock()

    async def run(
        self, attack: Attack, random: Random, scale: int = 1, counted: Collection[str] = ()
    ) -> Outcome:
        """Run one attack while the honest peer keeps asking; wait for the expected counters."""
        before = await self.victim.tell("report")
        outcome = Outcome(before, before, 0.0)
        start_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._go_on_asking, outcome)
            async with an_attacker(random, self.folder, self.victim.address) as attacker:
                with attacker.attempt():
                    await attacker.connect()
                await attack(attacker, random, scale)
                outcome.after = await self._settled(before, counted)
                await self.ask(outcome)
            nursery.cancel_scope.cancel()
        outcome.took_s = trio.current_time() - start_s
        return outcome

    async def _settled(self, before: dict[str, Any], counted: Collection[str]) -> dict[str, Any]:
        """Return the victim's report once it has processed the input in transit."""
        earlier, report = before, await self.victim.tell("report")
        busy_max_s = report["busy_max_s"]
        with trio.move_on_after(SETTLE_WITHIN_S):
            while report["refused"] != earlier["refused"] or any(
                report["refused"].get(name, 0) == before["refused"].get(name, 0)
                for name in counted
            ):
                await trio.sleep(0.3)
                earlier, report = report, await self.victim.tell("report")
                busy_max_s = max(busy_max_s, report["busy_max_s"])
        return report | {"busy_max_s": busy_max_s}

    async def ask(self, outcome: Outcome) -> None:
        """Ask one honest question and pull one blob honestly."""
        victim = self.victim.peer_id
        async with self._asking:
            took_s = await self.honest.tell("ask", peer=victim, within_s=ANSWER_WITHIN_S)
            pulled = await self.honest.tell("fetch", **self._blob, holders=[victim])
        if took_s is None or not pulled:
            outcome.num_unanswered += 1
        else:
            outcome.answers_s.append(took_s)

    async def _go_on_asking(self, outcome: Outcome) -> None:
        while True:
            await self.ask(outcome)
            await trio.sleep(ASK_EVERY_S)


@asynccontextmanager
async def a_siege(folder: Path, connections_max: int = 256) -> AsyncIterator[Siege]:
    """Start a victim and an honest peer; both are killed at the end."""
    processes: list[trio.Process] = []
    async with trio.open_nursery() as nursery:

        async def start(name: str, *bootstraps: str) -> Peer:
            process = await trio.lowlevel.open_process(
                [
                    sys.executable, "-W", "error", str(SCRIPT), str(folder / name),
                    str(connections_max), *bootstraps,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            )  # fmt: skip
            processes.append(process)
            peer = Peer(process, nursery)
            await peer.wait_for("ready")
            return peer

        try:
            victim = await start("victim")
            honest = await start("honest", victim.address)
            siege = Siege(victim, honest, folder, await victim.tell("put", size=BLOB_BYTES))
            await siege.ask(Outcome({}, {}, 0.0))
            yield siege
        finally:
            with trio.CancelScope(shield=True):
                for process in processes:
                    process.kill()
                    await process.wait()
        nursery.cancel_scope.cancel()
