"""The attacks: each is a function of an attacker, a seeded generator and a scale (1 in CI).

Each attack exceeds a limit of the victim several times over.
"""

import struct
from collections.abc import Awaitable, Callable
from random import Random
from typing import cast

import trio
from libp2p.custom_types import TProtocol
from libp2p.host.ping import ID as PING
from libp2p.identity.identify.identify import ID as IDENTIFY
from libp2p.kad_dht.common import PROTOCOL_ID as KADEMLIA
from libp2p.kad_dht.pb import kademlia_pb2
from libp2p.network.stream.net_stream import NetStream
from libp2p.pubsub.pb import rpc_pb2
from libp2p.stream_muxer.yamux.yamux import (
    FLAG_SYN,
    TYPE_DATA,
    TYPE_PING,
    TYPE_WINDOW_UPDATE,
    YAMUX_HEADER_FORMAT,
    YamuxStream,
)
from libp2p.utils import encode_varint_prefixed

from swarm.network.blob_transfer import BLOB_PROTOCOL
from swarm.network.direct_messages import MESSAGE_PROTOCOL
from swarm.network.discovery import PEERS_PROTOCOL
from swarm.network.streams import frame
from tests.fuzz.attacker import MESHSUB, Attacker, rpc
from tests.fuzz.messages import corpus
from tests.fuzz.mutations import mutated, noise
from tests.fuzz.victim import TOPIC

PROTOCOLS = [MESSAGE_PROTOCOL, BLOB_PROTOCOL, PEERS_PROTOCOL, KADEMLIA, MESHSUB, IDENTIFY, PING]

Attack = Callable[[Attacker, Random, int], Awaitable[None]]


async def bytes_of_no_protocol(attacker: Attacker, random: Random, scale: int) -> None:
    for _ in range(40 * scale):
        protocol = random.choice(PROTOCOLS)
        await attacker.write(protocol, noise(random, 600), close=random.random() < 0.5)


async def damaged_messages(attacker: Attacker, random: Random, scale: int) -> None:
    valid = corpus(random, 30)
    stream = None
    for _ in range(60 * scale):
        data = mutated(random, valid)
        if random.random() < 0.5:
            await attacker.write(MESSAGE_PROTOCOL, frame(data))
        else:
            with attacker.attempt():
                stream = stream or await attacker.open(MESHSUB)
                await stream.write(rpc(publish=[attacker.message(TOPIC, data)]))


async def damaged_pubsub_frames(attacker: Attacker, random: Random, scale: int) -> None:
    signed = attacker.message(TOPIC, corpus(random, 1)[0])
    control = rpc_pb2.ControlMessage(
        ihave=[rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=[b"x" * 20])],
        graft=[rpc_pb2.ControlGraft(topicID=TOPIC)],
    )
    valid = [
        rpc(publish=[signed]),
        rpc(subscriptions=[rpc_pb2.RPC.SubOpts(subscribe=True, topicid=TOPIC)]),
        rpc(control=control),
        rpc(senderRecord=b"record"),
    ]
    for _ in range(30 * scale):
        await attacker.write(MESHSUB, mutated(random, valid))


async def messages_in_the_name_of_another(attacker: Attacker, random: Random, scale: int) -> None:
    with attacker.attempt():
        stream = await attacker.open(MESHSUB)
        for _ in range(20 * scale):
            forged = attacker.message(TOPIC, corpus(random, 1)[0])
            forged.from_id = random.randbytes(38)
            unsigned = attacker.message(TOPIC, b"x")
            unsigned.ClearField("signature")
            yours = attacker.message(TOPIC, b"x")
            assert attacker.victim is not None
            yours.from_id = attacker.victim.to_bytes()
            await stream.write(rpc(publish=[forged, unsigned, yours]))


async def the_same_message_again(attacker: Attacker, random: Random, scale: int) -> None:
    message = attacker.message(TOPIC, corpus(random, 1)[0])
    longer = attacker.message(TOPIC, b"x")
    longer.seqno = bytes(100_000)
    with attacker.attempt():
        stream = await attacker.open(MESHSUB)
        for _ in range(20 * scale):
            await stream.write(rpc(publish=[message, message, longer]))


async def a_flood_of_published_messages(attacker: Attacker, random: Random, scale: int) -> None:
    data = corpus(random, 20)
    with attacker.attempt():
        stream = await attacker.open(MESHSUB)
        for _ in range(20 * scale):
            batch = [attacker.message(TOPIC, random.choice(data)) for _ in range(60)]
            await stream.write(rpc(publish=batch))
    with attacker.attempt():  # twenty thousand in one frame
        unsigned = [rpc_pb2.Message(topicIDs=[TOPIC], data=b"x")] * 20_000
        await stream.write(rpc(publish=unsigned))


async def a_million_topics(attacker: Attacker, random: Random, scale: int) -> None:
    with attacker.attempt():
        stream = await attacker.open(MESHSUB)
        for round_number in range(10 * scale):
            topics = [f"{round_number}/{number}" for number in range(5000)]
            await stream.write(
                rpc(
                    subscriptions=[
                        rpc_pb2.RPC.SubOpts(subscribe=True, topicid=topic) for topic in topics
                    ]
                )
            )
            await stream.write(
                rpc(
                    subscriptions=[
                        rpc_pb2.RPC.SubOpts(subscribe=True, topicid="x" * 100_000 + topics[0])
                    ]
                )
            )


async def control_without_end(attacker: Attacker, random: Random, scale: int) -> None:
    known = attacker.message(TOPIC, corpus(random, 1)[0])
    with attacker.attempt():
        stream = await attacker.open(MESHSUB)
        await stream.write(rpc(publish=[known]))
        for number in range(5 * scale):
            topics = [f"{number}/{n}" for n in range(5000)]
            control = rpc_pb2.ControlMessage(
                prune=[rpc_pb2.ControlPrune(topicID=t, backoff=2**63) for t in topics],
                graft=[rpc_pb2.ControlGraft(topicID=t) for t in topics],
                ihave=[rpc_pb2.ControlIHave(topicID=t, messageIDs=[b"i" * 40]) for t in topics],
                iwant=[rpc_pb2.ControlIWant(messageIDs=[known.from_id + known.seqno] * 5000)],
            )
            await stream.write(rpc(control=control))


async def a_flood_of_direct_messages(attacker: Attacker, random: Random, scale: int) -> None:
    data = [frame(message) for message in corpus(random, 20)]
    long = frame(bytes(200_000))
    for _ in range(12 * scale):
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(attacker.write, MESSAGE_PROTOCOL, random.choice(data))
            nursery.start_soon(attacker.write, MESSAGE_PROTOCOL, long)


async def absurd_blob_requests(attacker: Attacker, random: Random, scale: int) -> None:
    for _ in range(40 * scale):
        offset = random.choice([0, 1, 2**31, 2**63, 2**64 - 1])
        wait_ms = random.choice([0, 10_000, 2**32 - 1])
        request = random.randbytes(32) + offset.to_bytes(8, "big") + wait_ms.to_bytes(4, "big")
        await attacker.write(BLOB_PROTOCOL, request, close=False)


async def address_lists_of_garbage(attacker: Attacker, random: Random, scale: int) -> None:
    valid = [
        f"{attacker.identity.peer_id}\n/ip4/127.0.0.1/tcp/1/p2p/{attacker.identity.peer_id}".encode(),
        b"\n/ip6/::1/tcp/70000/p2p/x",
        b"z" * 30_000,
        b"\n/ip4/127.0.0.1/tcp/1/p2p/" + b"z" * 30_000,
        b" ".join([attacker.identity.peer_id.encode()] * 500),
    ]
    for _ in range(40 * scale):
        data = random.choice(valid) if random.random() < 0.5 else mutated(random, valid)
        await attacker.write(PEERS_PROTOCOL, frame(data))


async def frames_of_no_meaning(attacker: Attacker, random: Random, scale: int) -> None:
    for _ in range(15 * scale):
        await attacker.raw(noise(random, 200))
        await attacker.frame(
            random.randrange(256),
            random.randrange(2**16),
            random.randrange(2**32),
            random.choice([0, 1, 2**16, 2**31, 2**32 - 1]),
            noise(random, 100),
        )


async def frames_of_four_gib(attacker: Attacker, random: Random, scale: int) -> None:
    for _ in range(3 * scale):
        await attacker.frame(TYPE_DATA, FLAG_SYN, 9001, 2**32 - 1, b"x")
        for protocol in (MESSAGE_PROTOCOL, PEERS_PROTOCOL):
            await attacker.write(protocol, b"\xff\xff\xff\xff" + b"x" * 1000)
        await attacker.write(MESHSUB, b"\xff\xff\xff\xff\x0f" + b"x" * 1000)
        await attacker.write(KADEMLIA, b"\xff\xff\xff\xff\x0f" + b"x" * 1000)


async def more_than_the_window(attacker: Attacker, random: Random, scale: int) -> None:
    body = bytes(60_000)
    request = random.randbytes(32) + bytes(8) + (9000).to_bytes(4, "big")
    for _ in range(3 * scale):
        with attacker.attempt():
            stream = await attacker.open(BLOB_PROTOCOL)
            await stream.write(request)  # the victim waits for a blob now, and does not read
            stream_id = cast(YamuxStream, cast(NetStream, stream).muxed_stream).stream_id
            for _ in range(200):
                await attacker.frame(TYPE_DATA, 0, stream_id, len(body), body)


async def a_thousand_streams(attacker: Attacker, random: Random, scale: int) -> None:
    with attacker.attempt():
        connection = await attacker.connect()
        first = connection.next_stream_id + 100_000
        for batch in range(10 * scale):
            ids = [first + 2 * (100 * batch + number) for number in range(100)]
            opened = [
                struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_WINDOW_UPDATE, FLAG_SYN, stream_id, 0)
                for stream_id in ids
            ]
            await connection._write_frame(b"".join(opened))


async def streams_left_half_open(attacker: Attacker, random: Random, scale: int) -> None:
    pieces = {MESSAGE_PROTOCOL: b"\x00\x00\x10", BLOB_PROTOCOL: b"x" * 20, KADEMLIA: b"\x20"}
    for _ in range(15 * scale):
        for protocol in PROTOCOLS:
            await attacker.write(protocol, pieces.get(protocol, b"\x05a"), close=False)


async def one_byte_now_and_then(attacker: Attacker, random: Random, scale: int) -> None:
    async def trickle(protocol: TProtocol) -> None:
        with attacker.attempt():
            stream = await attacker.open(protocol)
            for byte in frame(bytes(200)):
                await stream.write(bytes([byte]))
                await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        for protocol in PROTOCOLS * 3:
            nursery.start_soon(trickle, protocol)


async def pings_without_end(attacker: Attacker, random: Random, scale: int) -> None:
    with attacker.attempt():
        connection = await attacker.connect()
        ping = bytes([0, TYPE_PING, 0, FLAG_SYN]) + bytes(8)
        for _ in range(40 * scale):
            await connection._write_frame(ping * 1000)


async def kademlia_floods(attacker: Attacker, random: Random, scale: int) -> None:
    def request(**fields: object) -> bytes:
        message = kademlia_pb2.Message(**fields)  # type: ignore[arg-type]
        return encode_varint_prefixed(message.SerializeToString())

    provider = kademlia_pb2.Message.Peer(
        id=attacker.host.get_id().to_bytes(),
        addrs=[bytes.fromhex("047f00000106") + b"\x00\x01"] * 200,
    )
    kinds = kademlia_pb2.Message.MessageType
    for number in range(20 * scale):
        key = b"key%d" % number
        await attacker.write(
            KADEMLIA,
            request(type=kinds.ADD_PROVIDER, key=key, providerPeers=[provider])
            + request(type=kinds.FIND_NODE, key=random.randbytes(32)) * 100,
        )


ATTACKS: dict[str, list[Attack]] = {
    "bytes": [bytes_of_no_protocol, damaged_messages, damaged_pubsub_frames,
              address_lists_of_garbage, frames_of_no_meaning, frames_of_four_gib],
    "names": [messages_in_the_name_of_another, the_same_message_again],
    "floods": [a_flood_of_published_messages, a_million_topics, control_without_end,
               a_flood_of_direct_messages, absurd_blob_requests, kademlia_floods],
    "streams": [more_than_the_window, a_thousand_streams, streams_left_half_open,
                one_byte_now_and_then, pings_without_end],
}  # fmt: skip
"""The attacks by topic; the name of an attack is that of its function."""
