"""Kademlia, hardened: small messages, a deadline for each stream, and a single key."""

from typing import Any

import trio
from libp2p.abc import IHost, INetStream
from libp2p.kad_dht import kad_dht, peer_routing, provider_store
from libp2p.kad_dht.kad_dht import DHTMode, KadDHT
from libp2p.kad_dht.provider_store import ProviderStore
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo

from swarm.core.protocol import PROTOCOL_VERSION
from swarm.network.limits import KADEMLIA_READS, Allowance
from swarm.network.statistics import Statistics

NAMESPACE = f"swarm/{PROTOCOL_VERSION}/peers"
"""The key under which every peer of every swarm of this version provides itself."""
MESSAGE_SIZE_MAX = 64 * 1024
"""Bytes; twenty peers with their addresses and signatures take 16 KiB. libp2p's limit is 4 MiB:
half a million addresses, each parsed in the event loop."""
STREAM_TIMEOUT_S = 30.0
ADDRESSES_MAX = 8
_PROVIDERS_MAX = 20


class GuardedKadDHT(KadDHT):
    """Serves each stream no longer and no faster than an honest peer needs.

    libp2p's class waits for ever for the next request of a stream, and accepts twelve streams.
    """

    def __init__(self, host: IHost, statistics: Statistics) -> None:
        super().__init__(host, DHTMode.SERVER, enable_values=False)
        self.provider_store = _Providers(host, self.peer_routing, statistics)
        self._reads = Allowance(KADEMLIA_READS)

    async def handle_stream(self, stream: INetStream) -> None:
        """Answer a peer's requests on one stream."""
        with trio.fail_after(STREAM_TIMEOUT_S):
            await super().handle_stream(_PacedReads(stream, self._reads))  # type: ignore[arg-type]


class _Providers(ProviderStore):
    """Keeps the newest providers of our key, and of no other key.

    libp2p's class keeps each provided key for a day, with all addresses that fit in a message.
    Once a key has twenty providers, it accepts no more.
    """

    def __init__(self, host: IHost, routing: Any, statistics: Statistics) -> None:
        super().__init__(host, routing)
        self._statistics = statistics

    def add_provider(self, key: bytes, provider: PeerInfo) -> None:
        if key != NAMESPACE.encode():
            self._statistics.refuse("kademlia-key")
            return
        known = self.providers.setdefault(key, {})
        if len(known) >= _PROVIDERS_MAX and str(provider.peer_id) not in known:
            del known[min(known, key=lambda peer: known[peer].timestamp)]
        super().add_provider(key, PeerInfo(provider.peer_id, provider.addrs[:ADDRESSES_MAX]))


class _PacedReads:
    """Reads a stream at the rate that the remote's allowance permits."""

    def __init__(self, stream: INetStream, reads: Allowance) -> None:
        self._stream = stream
        self._reads = reads
        self._peer: ID = stream.muxed_conn.peer_id

    async def read(self, size: int) -> bytes:
        """Read at most `size` bytes."""
        await self._reads.wait(self._peer)
        return await self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def limit_messages() -> None:
    """Set our size limit in the modules that read Kademlia's messages."""
    for module in (kad_dht, peer_routing, provider_store):
        module.MAX_DHT_MESSAGE_SIZE = MESSAGE_SIZE_MAX  # type: ignore[attr-defined]
