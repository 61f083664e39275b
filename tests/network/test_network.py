"""Real peers in separate processes on the loopback address."""

import signal

import pytest
import trio

from swarm.network.guards import PUBSUB_MESSAGE_SIZE_MAX

pytestmark = [pytest.mark.network, pytest.mark.slow]


async def test_six_peers_are_fully_connected_three_seconds_after_the_last_one_listens(start_peer):
    first = await start_peer("0")
    peers = [first]
    async with trio.open_nursery() as nursery:

        async def start(name):
            peers.append(await start_peer(name, first.address))

        for name in "12345":
            nursery.start_soon(start, name)
    for peer in peers:
        await peer.wait_connected(*(other for other in peers if other is not peer))
    last_s = max(peer.other["ready"]["at_s"] for peer in peers)
    full_s = max(
        event["at_s"]
        for peer in peers
        for event in peer.events
        if event["event"] == "PeerConnected"
    )
    print("full mesh", full_s - last_s, [round(p.other["ready"]["took_s"], 2) for p in peers])

    assert full_s - last_s < 3

    start_s = trio.current_time()
    for peer in peers:
        await peer.tell("subscribe", topic="news")
    await first.tell("publish", topic="news", data="hello")
    for peer in peers[1:]:
        await peer.wait_event("PubsubMessage", data="hello", sender=first.peer_id)
    print("publish after subscribe", trio.current_time() - start_s)

    assert not [event for event in first.events if event["event"] == "PubsubMessage"]


async def test_a_message_reaches_a_topic_its_author_does_not_hear(start_peer):
    anna = await start_peer("anna")
    ben = await start_peer("ben", anna.address)
    await ben.tell("subscribe", topic="news")
    await anna.wait_connected(ben)

    await anna.tell("publish", topic="news", data="hello", size=PUBSUB_MESSAGE_SIZE_MAX)

    event = await ben.wait_event("PubsubMessage", topic="news", sender=anna.peer_id)
    assert event["size"] == PUBSUB_MESSAGE_SIZE_MAX


async def test_a_direct_message_names_its_sender(start_peer):
    anna = await start_peer("anna")
    ben = await start_peer("ben", anna.address)
    await anna.wait_connected(ben)

    await anna.tell("send", peer=ben.peer_id, data="for you", size=200_000)

    event = await ben.wait_event("DirectMessage", sender=anna.peer_id)
    assert event["size"] == 200_000


async def test_a_killed_peer_is_reported_unreachable_at_once(start_peer):
    anna = await start_peer("anna")
    ben = await start_peer("ben", anna.address)
    await anna.wait_connected(ben)

    start_s = trio.current_time()
    ben.signal(signal.SIGKILL)
    await anna.wait_event("PeerUnreachable", peer=ben.peer_id)
    print("kill to unreachable", trio.current_time() - start_s)

    assert trio.current_time() - start_s < 1
