"""An attacker: an authenticated libp2p host that keeps no rules after the handshake."""

import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.validators import PUBSUB_SIGNING_PREFIX
from libp2p.stream_muxer.yamux.yamux import YAMUX_HEADER_FORMAT, Yamux
from libp2p.utils import encode_varint_prefixed
from multiaddr import Multiaddr

from swarm.network.addressbook import AddressBook
from swarm.network.addresses import parse_bootstrap
from swarm.network.dialer import Dialer
from swarm.network.guards import GuardedSwarm
from swarm.network.identity import Identity
from swarm.network.libp2p_host import build_host, build_swarm
from swarm.network.statistics import Statistics

MESHSUB = TProtocol("/meshsub/1.1.0")
ACTION_S = 3.0
"""Longest time that one action waits for a victim that does not answer."""


class Attacker:
    """One hostile identity, and its connection to the victim at `address`."""

    def __init__(
        self, identity: Identity, host: BasicHost, swarm: GuardedSwarm, folder: Path, address: str
    ) -> None:
        self.identity = identity
        self.host = host
        self._swarm = swarm
        self._dialer = Dialer(swarm, AddressBook(folder / f"{identity.peer_id}.json"))
        self._address = parse_bootstrap(address)
        self._number = 0
        self.victim: ID | None = None

    async def connect(self) -> Yamux:
        """Return an open connection; dial the victim again if it closed the last one."""
        while True:
            for connection in self._swarm.get_connections(self.victim) if self.victim else []:
                yamux = connection.muxed_conn
                assert isinstance(yamux, Yamux)
                if not yamux.event_shutting_down.is_set():
                    return yamux
            self.victim = ID.from_base58(await self._dialer.connect_to_address(self._address))

    async def open(self, protocol: TProtocol) -> INetStream:
        """Open a stream."""
        await self.connect()
        assert self.victim is not None
        return await self.host.new_stream(self.victim, [protocol])

    async def write(self, protocol: TProtocol, data: bytes, close: bool = True) -> None:
        """Write `data` on a new stream; errors are ignored."""
        with self.attempt():
            stream = await self.open(protocol)
            await stream.write(data)
            if close:
                await stream.close()

    async def frame(self, kind: int, flags: int, stream_id: int, length: int, body: bytes) -> None:
        """Write one yamux frame, valid or not."""
        with self.attempt():
            connection = await self.connect()
            header = struct.pack(YAMUX_HEADER_FORMAT, 0, kind, flags, stream_id, length)
            await connection._write_frame(header + body)

    async def raw(self, data: bytes) -> None:
        """Write bytes where yamux frames should be."""
        with self.attempt():
            await (await self.connect())._write_frame(data)

    @contextlib.contextmanager
    def attempt(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[misc]
        """Ignore errors and time out: only the victim is tested."""
        with trio.move_on_after(ACTION_S), contextlib.suppress(Exception):
            yield

    def message(self, topic: str, data: bytes, number: int | None = None) -> rpc_pb2.Message:
        """Return a pubsub message with a valid signature."""
        self._number += 1
        seqno = (self._number if number is None else number).to_bytes(8, "big")
        author = ID.from_pubkey(self.identity.key_pair.public_key).to_bytes()
        message = rpc_pb2.Message(data=data, topicIDs=[topic], from_id=author, seqno=seqno)
        signed = PUBSUB_SIGNING_PREFIX.encode() + message.SerializeToString()
        message.signature = self.identity.sign(signed)
        return message


def rpc(**fields: object) -> bytes:
    """Return one pubsub frame."""
    return encode_varint_prefixed(rpc_pb2.RPC(**fields).SerializeToString())  # type: ignore[arg-type]


@asynccontextmanager
async def an_attacker(random: Random, folder: Path, address: str) -> AsyncIterator[Attacker]:
    """Start a hostile host with its own identity."""
    identity = Identity.generate(random.randbytes(32))
    swarm = build_swarm(identity, Statistics())
    host = build_host(swarm)
    async with host.run(listen_addrs=[Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        yield Attacker(identity, host, swarm, folder, address)
        for connection in swarm.get_connections():
            with trio.move_on_after(1):
                await connection.close()
