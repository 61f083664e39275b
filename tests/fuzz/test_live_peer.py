"""A live peer under attack: it stays up and small, serves others, and counts its refusals."""

import os
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
from libp2p.abc import INetStream

from swarm.network.blob_transfer import BLOB_PROTOCOL
from swarm.peer.host.wire import CODEC, encode
from tests.fuzz import attacks
from tests.fuzz.attacker import MESHSUB, an_attacker, rpc
from tests.fuzz.attacks import ATTACKS
from tests.fuzz.messages import Rolled, make
from tests.fuzz.mutations import seeded
from tests.fuzz.siege import BLOB_BYTES, Outcome, Siege, a_siege
from tests.fuzz.victim import TOPIC

pytestmark = [pytest.mark.network, pytest.mark.slow]

SEED = int(os.environ.get("FUZZ_SEED", "1"))
GROWN_MAX_MB = 40
BUSY_MAX_S = 0.5
"""CPU time without a switch to other tasks; without limits, one frame can take 1.5 s."""
COUNTED = {
    attacks.bytes_of_no_protocol: ("exchange-bad", "message-bad", "pubsub-frame"),
    attacks.damaged_messages: ("wire-envelope",),
    attacks.damaged_pubsub_frames: ("pubsub-frame",),
    attacks.address_lists_of_garbage: ("exchange-bad",),
    attacks.frames_of_four_gib: ("yamux-window",),
    attacks.messages_in_the_name_of_another: ("pubsub-signature", "pubsub-message"),
    attacks.the_same_message_again: ("pubsub-message",),
    attacks.a_flood_of_published_messages: ("pubsub-author-rate",),
    attacks.a_million_topics: ("pubsub-rate",),
    attacks.control_without_end: ("pubsub-rate",),
    attacks.a_flood_of_direct_messages: ("message-rate",),
    attacks.absurd_blob_requests: ("blob-waiters",),
    attacks.kademlia_floods: ("kademlia-key",),
    attacks.more_than_the_window: ("yamux-window",),
    attacks.a_thousand_streams: ("streams-open",),
}
"""Counters that each attack must raise; further ones depend on timing."""


@pytest.mark.parametrize("group", ATTACKS)
async def test_an_honest_peer_is_answered_throughout(group: str, tmp_path: Path) -> None:
    async with a_siege(tmp_path) as siege:
        first = await siege.victim.tell("report")
        for attack in ATTACKS[group]:
            counted = COUNTED.get(attack, ())
            outcome = await siege.run(attack, seeded(SEED), counted=counted)
            print(f"seed {SEED} {attack.__name__}: {outcome}")

            assert outcome.num_unanswered == 0
            assert outcome.after["busy_max_s"] < BUSY_MAX_S
            assert outcome.refused.keys() >= set(counted)

        last = await siege.victim.tell("report")
        assert last["rss_mb"] - first["rss_mb"] < GROWN_MAX_MB


async def test_strangers_that_hold_all_connections_make_room(tmp_path: Path) -> None:
    places = 12
    async with a_siege(tmp_path, connections_max=places) as siege:
        await siege.victim.tell("keep", peers=[siege.honest.peer_id])
        await siege.ask(outcome := Outcome({}, {}, 0.0))
        random = seeded(SEED)

        async with trio.open_nursery() as nursery:
            done = trio.Event()

            async def stay() -> None:
                async with an_attacker(random, tmp_path, siege.victim.address) as stranger:
                    with stranger.attempt():
                        await stranger.connect()
                    await done.wait()

            for _ in range(2 * places):
                nursery.start_soon(stay)
            await wait_for(siege, lambda r: r["refused"].get("connections-crowd", 0) >= places)
            await siege.ask(outcome)
            report = await siege.victim.tell("report")
            done.set()

        assert outcome.num_unanswered == 0
        assert siege.honest.peer_id in report["connected"]
        assert len(report["connected"]) <= places


async def test_callers_without_a_handshake_do_not_keep_others_out(tmp_path: Path) -> None:
    async with a_siege(tmp_path) as siege:
        ip, _, port = siege.victim.address.rpartition(":")
        async with AsyncExitStack() as callers:
            for _ in range(200):
                await callers.enter_async_context(await trio.open_tcp_stream(ip, int(port)))
            async with an_attacker(seeded(SEED), tmp_path, siege.victim.address) as newcomer:
                with trio.fail_after(10):
                    await newcomer.connect()
        refused = (await siege.victim.tell("report"))["refused"]
        assert refused["handshake-crowd"] >= 200 - 128


async def test_a_replay_after_libp2p_forgot_the_message_is_refused(tmp_path: Path) -> None:
    async with (
        a_siege(tmp_path) as siege,
        an_attacker(seeded(SEED), tmp_path, siege.victim.address) as attacker,
    ):
        query = encode(make(CODEC.kinds["session?"].message, Rolled(seeded(SEED))))
        stream = await attacker.open(MESHSUB)
        frame = rpc(publish=[attacker.message(TOPIC, query)])

        before = (await siege.victim.tell("report"))["heard"].get("SessionQuery", 0)
        await stream.write(frame)
        await wait_for(siege, lambda report: report["heard"].get("SessionQuery", 0) > before)
        heard = (await siege.victim.tell("report"))["heard"]["SessionQuery"]
        await siege.victim.tell("forget_ids")
        await stream.write(frame)

        report = await wait_for(siege, lambda report: "pubsub-replay" in report["refused"])
        assert report["heard"]["SessionQuery"] == heard


async def wait_for(siege: Siege, condition: Callable[..., bool]) -> dict[str, object]:
    """Read the victim's report until it meets the condition."""
    with trio.fail_after(10):
        while not condition(report := await siege.victim.tell("report")):
            await trio.lowlevel.checkpoint()
    return report  # type: ignore[no-any-return]


async def none_of_it(stream: INetStream) -> None:
    await stream.write(struct.pack("!Q", 0))


async def four_gib_of_it(stream: INetStream) -> None:
    await stream.write(struct.pack("!Q", 2**32) + bytes(1000))


async def other_bytes(stream: INetStream) -> None:
    await stream.write(struct.pack("!Q", BLOB_BYTES) + bytes(BLOB_BYTES))


async def half_of_it(stream: INetStream) -> None:
    await stream.write(struct.pack("!Q", BLOB_BYTES) + bytes(BLOB_BYTES // 2))


async def more_than_it(stream: INetStream) -> None:
    await stream.write(struct.pack("!Q", BLOB_BYTES) + bytes(2 * BLOB_BYTES))


async def a_byte_now_and_then(stream: INetStream) -> None:
    await stream.write(struct.pack("!Q", BLOB_BYTES))
    for _ in range(300):
        await stream.write(b"x")
        await trio.sleep(0.1)


async def test_after_a_lie_about_a_blob_the_next_holder_is_asked(tmp_path: Path) -> None:
    lies: list[Callable[[INetStream], Awaitable[None]]] = [
        none_of_it, four_gib_of_it, other_bytes, half_of_it, more_than_it, a_byte_now_and_then,
    ]  # fmt: skip
    async with (
        a_siege(tmp_path) as siege,
        an_attacker(seeded(SEED), tmp_path, siege.victim.address) as liar,
    ):
        await liar.connect()
        blob = await siege.honest.tell("put", size=BLOB_BYTES)
        holders = [str(liar.identity.peer_id), siege.honest.peer_id]

        for lie in lies:

            async def tell(stream: INetStream, lie=lie) -> None:  # type: ignore[no-untyped-def]
                with liar.attempt():
                    await stream.read(44)
                    await lie(stream)
                    await stream.close()

            liar.host.set_stream_handler(BLOB_PROTOCOL, tell)
            with trio.fail_after(20):
                assert await siege.victim.tell("fetch", **blob, holders=holders), lie.__name__

        refused = (await siege.victim.tell("report"))["refused"]
        assert refused["blob-corrupt"] >= 2
