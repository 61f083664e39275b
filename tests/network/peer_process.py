"""A network in its own process, driven by JSON lines: commands in, answers and events out.

Run as `python peer_process.py STATE_DIR IP PORT [BOOTSTRAP...]`.
"""

import base64
import dataclasses
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

STARTED_S = time.perf_counter()

import psutil  # noqa: E402
import trio  # noqa: E402  # the start of the process is measured

from swarm.core.blobs import BlobRef  # noqa: E402
from swarm.core.errors import SwarmError  # noqa: E402
from swarm.core.ids import Digest, PeerId  # noqa: E402
from swarm.network.addresses import parse_bootstrap  # noqa: E402
from swarm.network.events import NetworkEvent  # noqa: E402
from swarm.network.identity import load_or_create_identity  # noqa: E402
from swarm.network.lock import hold_state_folder  # noqa: E402
from swarm.network.network import Network, NetworkConfig  # noqa: E402
from swarm.network.store import FileBlobStore  # noqa: E402


def emit(**fields: Any) -> None:
    """Write one line."""
    print(json.dumps(fields), flush=True)


async def deliver(event: NetworkEvent) -> None:
    """Report an event."""
    fields = dataclasses.asdict(event)  # type: ignore[call-overload]
    if "data" in fields:
        data = fields.pop("data")
        fields |= {"data": data[:100].decode("latin1"), "size": len(data)}
    emit(event=type(event).__name__, at_s=time.monotonic(), **fields)


class Commands:
    """One method per command."""

    def __init__(self, network: Network, store: FileBlobStore) -> None:
        self.network = network
        self.store = store

    async def subscribe(self, topic: str) -> None:
        await self.network.subscribe(topic)

    async def unsubscribe(self, topic: str) -> None:
        await self.network.unsubscribe(topic)

    async def publish(self, topic: str, data: str, size: int = 0) -> None:
        await self.network.publish(topic, data.encode().ljust(size, b"."))

    async def send(self, peer: str, data: str, size: int = 0) -> None:
        await self.network.send(PeerId(peer), data.encode().ljust(size, b"."))

    async def put(self, size: int) -> dict[str, Any]:
        return dataclasses.asdict(self.store.put(os.urandom(size)))

    async def put_data(self, data: str) -> dict[str, Any]:
        return dataclasses.asdict(self.store.put(base64.b64decode(data)))

    async def spoil(self, digest: str, size: int) -> None:
        path = self.store._root / digest[:2] / digest
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * size)

    async def fetch(
        self, digest: str, size_bytes: int, holders: list[str], wait_s: float = 0
    ) -> dict[str, float]:
        start = time.perf_counter()
        ref = BlobRef(Digest(digest), size_bytes)
        await self.network.fetch(ref, [PeerId(peer) for peer in holders], wait_s)
        took_s = time.perf_counter() - start
        self.store.read(ref)
        return {"took_s": took_s}

    async def keep(self, peers: list[str]) -> None:
        self.network.keep_connected([PeerId(peer) for peer in peers])

    async def snapshot(self) -> dict[str, Any]:
        return dataclasses.asdict(self.network.snapshot())

    async def usage(self) -> dict[str, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "cpu_s": used.ru_utime + used.ru_stime,
            "at_s": time.perf_counter(),
            "rss_mb": psutil.Process().memory_info().rss / 1e6,
            "numpy": "numpy" in sys.modules,
        }


async def answer(commands: Commands, line: bytes) -> None:
    """Carry out one command."""
    request = json.loads(line)
    try:
        result = await getattr(commands, request.pop("do"))(**request.pop("with"))
        emit(answer=request["id"], result=result)
    except SwarmError as error:
        emit(answer=request["id"], error=type(error).__name__, message=str(error))


async def main(state_dir: Path, ip: str, port: int, bootstraps: list[str]) -> None:
    """Serve commands until standard input ends."""
    identity = load_or_create_identity(state_dir)
    store = FileBlobStore(state_dir / "blobs")
    config = NetworkConfig(ip, port, state_dir, tuple(parse_bootstrap(b) for b in bootstraps))
    network = Network(config, identity, store)
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run, deliver)
        emit(
            ready=True,
            peer=identity.peer_id,
            addresses=network.listen_addresses,
            took_s=time.perf_counter() - STARTED_S,
            at_s=time.monotonic(),
        )
        commands = Commands(network, store)
        buffer = b""
        stdin = trio.lowlevel.FdStream(os.dup(0))
        while chunk := await stdin.receive_some():
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                nursery.start_soon(answer, commands, line)
        stopped_s = time.perf_counter()
        nursery.cancel_scope.cancel()
    emit(stopped=True, took_s=time.perf_counter() - stopped_s)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    try:
        with hold_state_folder(folder):
            trio.run(main, folder, sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    except SwarmError as error:
        emit(failed=type(error).__name__, message=str(error))
        sys.exit(2)
