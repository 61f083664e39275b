"""Builds the libp2p host: only TCP, Noise and yamux, with GossipSub and Kademlia on top."""

import logging
from collections.abc import Callable

from libp2p.abc import IHost
from libp2p.crypto.x25519 import create_new_key_pair as create_new_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.identity.identify_push.identify_push import ID_PUSH as IDENTIFY_PUSH
from libp2p.kad_dht.kad_dht import KadDHT
from libp2p.network.config import ConnectionConfig
from libp2p.peer.id import ID
from libp2p.peer.peerstore import PeerStore
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from multiaddr import Multiaddr

from swarm.network.addresses import Endpoint, reachable_ip
from swarm.network.gossip import (
    RPC_SIZE_MAX,
    TOPICS_PER_PEER_MAX,
    GuardedGossipSub,
    GuardedPubsub,
    raise_queue_limits,
)
from swarm.network.guards import (
    CONNECTIONS_MAX,
    GuardedSwarm,
    GuardedUpgrader,
    GuardedYamux,
    guarded,
)
from swarm.network.identity import Identity
from swarm.network.kademlia import GuardedKadDHT, limit_messages
from swarm.network.other_versions import OtherVersions
from swarm.network.readahead import ReadAheadTCP
from swarm.network.statistics import Statistics

_CONNECTIONS_MAX = 2 * CONNECTIONS_MAX
"""Limit in libp2p's class, which does not know the caller yet; `GuardedSwarm` then decides."""
_GOSSIP_PROTOCOLS = [TProtocol("/meshsub/1.2.0"), TProtocol("/meshsub/1.1.0")]


def build_swarm(identity: Identity, statistics: Statistics) -> GuardedSwarm:
    """Put the transport together, without libp2p's defaults: they accept plaintext callers."""
    key_pair = identity.key_pair
    noise = Noise(key_pair, noise_privkey=create_new_x25519_key_pair().private_key)
    peer = ID.from_pubkey(key_pair.public_key)
    peerstore = PeerStore()
    peerstore.add_key_pair(peer, key_pair)
    return GuardedSwarm(
        peer,
        peerstore,
        GuardedUpgrader({NOISE: noise}, {TProtocol(YAMUX): GuardedYamux}, statistics=statistics),
        transports=[ReadAheadTCP()],
        connection_config=ConnectionConfig(
            max_connections=_CONNECTIONS_MAX,
            high_watermark=_CONNECTIONS_MAX,
            min_connections=0,
            low_watermark=0,  # 0: only we dial, not libp2p's auto-connector
            inbound_upgrade_timeout=5,
            outbound_upgrade_timeout=5,
            inbound_stream_protocol_negotiation_timeout=5,
            outbound_stream_protocol_negotiation_timeout=5,
        ),
        statistics=statistics,
    )


def build_host(swarm: GuardedSwarm) -> BasicHost:
    """Put a host on `swarm`, with each stream handler guarded."""
    quiet_libp2p()
    host = BasicHost(swarm, addrs_factory=_Announced(), disable_identify_address_discovery=True)
    host.remove_stream_handler(IDENTIFY_PUSH)  # the exchange of addresses carries ours
    swarm.set_stream_handler(guarded(swarm.common_stream_handler, "stream", swarm.statistics))
    return host


def build_pubsub(
    host: IHost,
    statistics: Statistics,
    versions: OtherVersions,
    take: Callable[[str, ID, bytes], None],
) -> tuple[GuardedPubsub, GuardedGossipSub]:
    """Put GossipSub on `host`; its degree covers nine fully connected peers: no islands form."""
    raise_queue_limits()
    gossip = GuardedGossipSub(
        _GOSSIP_PROTOCOLS,
        degree=8,
        degree_low=6,
        degree_high=12,
        heartbeat_interval=1,
        adaptive_gossip_enabled=False,
        spam_protection_enabled=False,
        eclipse_protection_enabled=False,  # it counts IP addresses; six peers may share one
        max_pending_messages_per_peer=16,
        pending_messages_ttl=5,
    )
    pubsub = GuardedPubsub(
        host,
        gossip,
        take=take,
        statistics=statistics,
        versions=versions,
        strict_signing=True,
        max_inbound_rpc_size=RPC_SIZE_MAX,
        max_subscriptions_per_peer=TOPICS_PER_PEER_MAX,
    )
    return pubsub, gossip


def build_dht(host: IHost, statistics: Statistics) -> KadDHT:
    """Put Kademlia on `host`, as a server for other peers."""
    limit_messages()
    return GuardedKadDHT(host, statistics)


def quiet_libp2p() -> None:
    """Keep libp2p's tracebacks of normal disconnections out of the log."""
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
    logging.getLogger("async_service").setLevel(logging.CRITICAL)
    if not logging.root.handlers:
        # libp2p calls logging.debug(), which would install its own handler.
        logging.root.addHandler(logging.NullHandler())


class _Announced:
    """Turns listening addresses into dialable ones; cached, as libp2p asks with each message."""

    def __init__(self) -> None:
        self._candidates: list[Multiaddr] = []
        self._announced: list[Multiaddr] = []

    def __call__(self, candidates: list[Multiaddr]) -> list[Multiaddr]:
        if candidates != self._candidates:
            self._candidates = candidates
            self._announced = [_dialable(candidate) for candidate in candidates]
        return self._announced


def _dialable(listening: Multiaddr) -> Multiaddr:
    _, _, ip, _, port, *_ = str(listening).split("/")
    return Multiaddr(Endpoint(reachable_ip(ip), int(port)).multiaddr)
