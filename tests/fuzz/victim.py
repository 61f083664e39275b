"""A peer's network in its own process: it decodes messages and answers questions.

It handles messages as `swarm.peer` does, and reports memory, work and refusals.
Run as `python victim.py STATE_DIR CONNECTIONS_MAX [BOOTSTRAP...]`; commands are JSON lines.
"""

import dataclasses
import json
import os
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import trio

from swarm.core.blobs import BlobRef
from swarm.core.errors import NetworkError, RemoteProtocolError
from swarm.core.ids import Digest, PeerId
from swarm.core.protocol import PROTOCOL_VERSION
from swarm.core.session import SessionSpec
from swarm.federation.messages import SessionOffer, SessionQuery
from swarm.network import guards
from swarm.network.addresses import parse_bootstrap
from swarm.network.events import DirectMessage, NetworkEvent, PubsubMessage
from swarm.network.identity import load_or_create_identity, verify
from swarm.network.network import Network, NetworkConfig
from swarm.network.store import FileBlobStore
from swarm.peer.host.wire import decode, encode

TOPIC = f"swarm/{PROTOCOL_VERSION}/session"
TICK_S = 0.005


class Victim:
    """One method per command, and the peer's own reactions."""

    def __init__(self, network: Network, store: FileBlobStore) -> None:
        self.network = network
        self.store = store
        self.nursery: trio.Nursery | None = None
        self.heard: Counter[str] = Counter()
        self.offers: dict[PeerId, trio.Event] = {}
        self.busy_max_s = 0.0
        self._fetching = trio.Lock()

    async def deliver(self, event: NetworkEvent) -> None:
        if not isinstance(event, PubsubMessage | DirectMessage):
            return
        try:
            message = decode(event.data, event.sender, verify).message
        except RemoteProtocolError as error:
            self.network.refuse(error)
            return
        self.heard[type(message).__name__] += 1
        if isinstance(message, SessionQuery) and self.nursery is not None:
            self.nursery.start_soon(self._offer, event.sender)
        if isinstance(message, SessionOffer):
            self.offers.setdefault(event.sender, trio.Event()).set()

    async def _offer(self, peer: PeerId) -> None:
        offer = SessionOffer(self.network.peer_id, SessionSpec(starter=self.network.peer_id))
        try:
            await self.network.send(peer, encode(offer))
        except NetworkError:
            self.heard["unsent"] += 1

    async def watch(self) -> None:
        """Measure the longest CPU time that the loop spent before it returned to this task."""
        at_s = time.thread_time()
        while True:
            await trio.sleep(TICK_S)
            now_s = time.thread_time()
            self.busy_max_s = max(self.busy_max_s, now_s - at_s)
            at_s = now_s

    # Commands

    async def ask(self, peer: str, within_s: float) -> float | None:
        """Ask a peer for its session; return the seconds until the answer, None if it is late."""
        self.offers[PeerId(peer)] = answered = trio.Event()
        start_s = trio.current_time()
        with trio.move_on_after(within_s):
            while not answered.is_set():
                try:
                    await self.network.send(
                        PeerId(peer), encode(SessionQuery(self.network.peer_id))
                    )
                except NetworkError:
                    self.heard["unsent"] += 1
                with trio.move_on_after(2):  # all connections of this side may have been taken
                    await answered.wait()
        return trio.current_time() - start_s if answered.is_set() else None

    async def put(self, size: int) -> dict[str, Any]:
        return dataclasses.asdict(self.store.put(os.urandom(size)))

    async def fetch(self, digest: str, size_bytes: int, holders: list[str]) -> bool:
        ref = BlobRef(Digest(digest), size_bytes)
        # The siege may stop waiting for a fetch and command the next one: both would share the
        # transfer, and the first would delete the file under the second.
        async with self._fetching:
            try:
                await self.network.fetch(ref, [PeerId(peer) for peer in holders])
            except NetworkError:
                return False
            path = self.store.path(ref)
            self.store.read(ref)
            path.unlink()  # so that it can be fetched again
            return True

    async def publish(self) -> None:
        await self.network.publish(TOPIC, encode(SessionQuery(self.network.peer_id)))

    async def forget_ids(self) -> None:
        """Forget the ids of messages, as libp2p does after two minutes."""
        self.network._pubsub.seen_messages.cache.clear()

    async def keep(self, peers: list[str]) -> None:
        self.network.keep_connected([PeerId(peer) for peer in peers])

    async def report(self) -> dict[str, Any]:
        snapshot = self.network.snapshot()
        busy_max_s, self.busy_max_s = self.busy_max_s, 0.0
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "connected": snapshot.connected,
            "refused": snapshot.rejected,
            "heard": self.heard,
            "busy_max_s": busy_max_s,
            "rss_mb": psutil.Process().memory_info().rss / 1e6,
            "rss_peak_mb": used.ru_maxrss / 1e3,
            "cpu_s": used.ru_utime + used.ru_stime,
        }


def emit(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


async def answer(victim: Victim, line: bytes) -> None:
    request = json.loads(line)
    result = await getattr(victim, request["do"])(**request["with"])
    emit(answer=request["id"], result=result)


async def main(folder: Path, bootstraps: list[str]) -> None:
    identity = load_or_create_identity(folder)
    store = FileBlobStore(folder / "blobs")
    config = NetworkConfig("127.0.0.1", 0, folder, tuple(map(parse_bootstrap, bootstraps)))
    network = Network(config, identity, store)
    victim = Victim(network, store)
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run, victim.deliver)
        victim.nursery = nursery
        nursery.start_soon(victim.watch)
        await network.subscribe(TOPIC)
        emit(ready=True, peer=identity.peer_id, addresses=network.listen_addresses)
        buffer = b""
        stdin = trio.lowlevel.FdStream(os.dup(0))
        while chunk := await stdin.receive_some():
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                nursery.start_soon(answer, victim, line)
        nursery.cancel_scope.cancel()
    emit(stopped=True)


if __name__ == "__main__":
    guards.CONNECTIONS_MAX = int(sys.argv[2])
    trio.run(main, Path(sys.argv[1]), sys.argv[3:])
