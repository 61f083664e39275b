"""What a stranger can send after the handshake; the peer must survive all of it."""

from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.transport.upgrader import TransportUpgrader
from libp2p.utils import encode_varint_prefixed
from multiaddr import Multiaddr

from swarm.core.errors import PeerUnreachableError
from swarm.network import guards
from swarm.network.addressbook import AddressBook
from swarm.network.addresses import parse_bootstrap
from swarm.network.blob_transfer import BLOB_PROTOCOL
from swarm.network.dialer import Dialer
from swarm.network.direct_messages import MESSAGE_PROTOCOL
from swarm.network.discovery import PEERS_PROTOCOL
from swarm.network.guards import GuardedSwarm, guarded
from swarm.network.identity import Identity
from swarm.network.libp2p_host import build_host, build_swarm
from swarm.network.statistics import Statistics

pytestmark = [pytest.mark.network, pytest.mark.slow]

MESHSUB = TProtocol("/meshsub/1.1.0")
KAD = TProtocol("/ipfs/kad/1.0.0")
MIB = 1024 * 1024


class Stranger:
    """A libp2p host that keeps the rules of the handshake and no others."""

    def __init__(self, host: BasicHost, swarm: GuardedSwarm, folder: Path) -> None:
        self.host = host
        self.dialer = Dialer(swarm, AddressBook(folder / "stranger.json"))

    async def open(self, victim, protocol):
        await self.dialer.connect_to_address(parse_bootstrap(victim.address))
        return await self.host.new_stream(ID.from_base58(victim.peer_id), [protocol])


@asynccontextmanager
async def a_stranger(folder: Path):
    swarm = build_swarm(Identity.generate(), Statistics())
    host = build_host(swarm)
    async with host.run(listen_addrs=[Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        yield Stranger(host, swarm, folder)
        for connection in swarm.get_connections():
            await connection.close()


def rpc(**fields) -> bytes:
    return encode_varint_prefixed(rpc_pb2.RPC(**fields).SerializeToString())


@pytest.mark.parametrize(
    ("protocol", "data"),
    [
        pytest.param(MESHSUB, encode_varint_prefixed(b"\xff" * 50), id="pubsub-no-protobuf"),
        pytest.param(MESHSUB, b"\xff" * 20, id="pubsub-endless-length"),
        pytest.param(MESHSUB, encode_varint_prefixed(b"x" * (2 * MIB)), id="pubsub-oversize"),
        pytest.param(
            MESHSUB,
            rpc(publish=[{"from_id": b"nobody", "data": b"x", "seqno": b"1", "topicIDs": ["t"]}]),
            id="pubsub-unsigned",
        ),
        pytest.param(
            MESHSUB,
            rpc(
                publish=[{"from_id": b"nobody", "topicIDs": ["t"], "key": b"k", "signature": b"s"}]
            ),
            id="pubsub-bad-key",
        ),
        pytest.param(MESHSUB, rpc(senderRecord=b"garbage"), id="pubsub-bad-record"),
        pytest.param(BLOB_PROTOCOL, b"\xff" * 44, id="blob-absurd-offset"),
        pytest.param(BLOB_PROTOCOL, b"\x00" * 7, id="blob-cut-short"),
        pytest.param(MESSAGE_PROTOCOL, b"\xff" * 64, id="message-oversize"),
        pytest.param(MESSAGE_PROTOCOL, b"\x00\x00\x10\x00abc", id="message-cut-short"),
        pytest.param(PEERS_PROTOCOL, b"\x00\x00\x00\x04\xff\xfe\x00!", id="peers-no-text"),
        pytest.param(PEERS_PROTOCOL, b"\x00\x00\x00\x0c\nnot an addr", id="peers-no-address"),
        pytest.param(KAD, b"\x20" + b"\xff" * 32, id="kademlia-no-protobuf"),
    ],
)
async def test_a_peer_survives(start_peer, tmp_path, protocol, data):
    victim = await start_peer("victim")
    await victim.tell("subscribe", topic="t")

    async with a_stranger(tmp_path) as stranger:
        stream = await stranger.open(victim, protocol)
        with trio.move_on_after(3):  # an oversized frame is refused before its end
            try:
                await stream.write(data)
                await stream.close()
            except Exception as error:
                print(f"refused: {error!r}")

        friend = await start_peer("friend", victim.address)
        await victim.wait_connected(friend)
        await friend.tell("publish", topic="t", data="still there?")
        await victim.wait_event("PubsubMessage", sender=friend.peer_id)
        await victim.stop()


async def test_a_failing_handler_ends_its_stream_only_and_is_counted():
    statistics = Statistics()

    class Stream:
        was_reset = False

        async def reset(self):
            self.was_reset = True

    async def raising(stream):
        raise RuntimeError("a bug")

    stream = Stream()
    await guarded(raising, "blob", statistics)(stream)

    assert stream.was_reset
    assert statistics.rejected == {"blob-error": 1}


class Connection:
    """The part of a connection that `GuardedSwarm` uses; other tasks run while it hangs up."""

    def __init__(self, muxed_conn=None) -> None:
        self.muxed_conn = muxed_conn or self
        self.peer_id = ID.from_base58(Identity.generate().peer_id)
        self._created_at = trio.current_time()

    def get_remote_address(self):
        return "192.0.2.1", 4000

    async def hang_up(self):
        await trio.lowlevel.checkpoint()


async def test_strangers_that_arrive_at_once_never_exceed_the_connections(monkeypatch):
    places = 4
    monkeypatch.setattr(guards, "CONNECTIONS_MAX", places)
    swarm = build_swarm(Identity.generate(), Statistics())
    seen = []

    async def register(self, muxed_conn, direction):
        await trio.lowlevel.checkpoint()
        self.connections[muxed_conn.peer_id] = [Connection(muxed_conn)]
        seen.append(len(self.get_connections()))

    monkeypatch.setattr(Swarm, "add_conn", register)
    for _ in range(3):
        async with trio.open_nursery() as nursery:
            for _ in range(places):
                nursery.start_soon(swarm.add_conn, Connection(), "inbound")

    assert len(seen) == 3 * places  # among idle strangers, the newest gets the place
    assert max(seen) == places


async def test_a_caller_without_encryption_is_refused(start_peer, tmp_path):
    victim = await start_peer("victim")
    identity = Identity.generate()
    swarm = build_swarm(identity, Statistics())
    plain = InsecureTransport(identity.key_pair)
    swarm.upgrader = TransportUpgrader(
        {TProtocol(PLAINTEXT_PROTOCOL_ID): plain}, {TProtocol(YAMUX): Yamux}
    )
    host = build_host(swarm)
    dialer = Dialer(swarm, AddressBook(tmp_path / "peers.json"))

    async with host.run(listen_addrs=[Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        with pytest.raises(PeerUnreachableError):
            await dialer.connect_to_address(parse_bootstrap(victim.address))

    assert not victim.events


async def test_closed_connections_leave_room_for_new_ones(start_peer, tmp_path):
    victim = await start_peer("victim")
    address = parse_bootstrap(victim.address)

    for _ in range(3):
        async with a_stranger(tmp_path) as stranger:
            await stranger.dialer.connect_to_address(address)
    friend = await start_peer("friend", victim.address)

    await victim.wait_connected(friend)
