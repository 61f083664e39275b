"""Kademlia, hardened: small messages, a deadline for every stream, and one key to provide."""

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
"""Bytes; twenty peers with their addresses and signatures take 16 KiB. The stock limit is 4 MiB,
half a million addresses, each parsed in the event loop."""
STREAM_TIMEOUT_S = 30.0
ADDRESSES_MAX = 8
_PROVIDERS_MAX = 20


class GuardedKadDHT(KadDHT):
    """Answers others no longer and no faster than an honest one needs.

    The stock class waits for ever for a stream's next request, and lets twelve streams in.
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
    """Providers of our namespace only; the newest stay.

    The stock class keeps every key that anybody provides for a day, with all the addresses that
    fit in a message, and when a key has twenty providers it takes no more.
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
    """Reads on a stream as fast as the remote's allowance goes."""

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
    """Give the modules that read Kademlia's messages our limit on their size."""
    for module in (kad_dht, peer_routing, provider_store):
        module.MAX_DHT_MESSAGE_SIZE = MESSAGE_SIZE_MAX  # type: ignore[attr-defined]
