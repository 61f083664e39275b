"""Real peers in separate processes on the loopback address."""

import signal

import pytest
import trio

from swarm.network.gossip import PUBSUB_MESSAGE_SIZE_MAX
from swarm.network.guards import PONG_TIMEOUT_S

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

    # On a machine where starting a process takes longer, everything else does, too.
    slowest_start_s = max(peer.other["ready"]["took_s"] for peer in peers)
    assert full_s - last_s < max(3, slowest_start_s)

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
    took_s = trio.current_time() - start_s
    print("kill to unreachable", took_s)

    assert took_s < PONG_TIMEOUT_S  # it did not have to time out


async def test_a_frozen_peer_is_dropped_and_a_slow_one_is_not(start_peer):
    anna = await start_peer("anna")
    ben = await start_peer("ben", anna.address)
    await anna.wait_connected(ben)

    ben.signal(signal.SIGSTOP)
    await trio.sleep(2)
    ben.signal(signal.SIGCONT)
    await ben.tell("send", peer=anna.peer_id, data="back")
    await anna.wait_event("DirectMessage")
    assert not [event for event in anna.events if event["event"] == "PeerDisconnected"]

    start_s = trio.current_time()
    ben.signal(signal.SIGSTOP)
    await anna.wait_event("PeerDisconnected", peer=ben.peer_id)
    print("freeze to disconnected", trio.current_time() - start_s)
    assert trio.current_time() - start_s < 10

    ben.signal(signal.SIGCONT)
    await anna.wait_connected(ben)
    # It did not answer redials, but refused none: it may have been busy.
    assert not [event for event in anna.events if event["event"] == "PeerUnreachable"]


async def test_a_restarted_peer_keeps_its_id_and_is_found_again(start_peer):
    anna = await start_peer("anna")
    ben = await start_peer("ben", anna.address)
    cleo = await start_peer("cleo", anna.address)
    await cleo.wait_connected(anna, ben)
    port = int(anna.address.rpartition(":")[2])
    await anna.tell("snapshot")

    assert await anna.stop() < 2
    await ben.wait_event("PeerUnreachable", peer=anna.peer_id)
    again = await start_peer("anna", port=port)  # no bootstrap address: it remembers its peers

    assert again.peer_id == anna.peer_id
    await again.wait_connected(ben, cleo)
    await again.tell("subscribe", topic="news")
    await ben.tell("publish", topic="news", data="welcome")
    await again.wait_event("PubsubMessage", sender=ben.peer_id)


async def test_a_bootstrap_that_comes_late_is_found(start_peer):
    early = await start_peer("early")
    port = int(early.address.rpartition(":")[2])
    await early.stop()
    ben = await start_peer("ben", f"127.0.0.1:{port}")
    cleo = await start_peer("cleo", f"127.0.0.1:{port}")

    anna = await start_peer("anna", port=port)

    await anna.wait_connected(ben, cleo)
    await ben.wait_connected(cleo)


async def test_two_peers_cannot_share_a_port_or_a_folder(start_peer):
    anna = await start_peer("anna")
    port = int(anna.address.rpartition(":")[2])

    other = await start_peer("ben", port=port, wait=False)
    failed = await other.wait_other("failed")
    assert failed["failed"] == "ConfigurationError"
    assert f"127.0.0.1:{port}" in failed["message"]

    twin = await start_peer("anna", wait=False)
    failed = await twin.wait_other("failed")
    assert f"process {anna.process.pid}" in failed["message"]


async def test_a_kept_peer_is_redialled_until_it_is_back(start_peer):
    anna = await start_peer("anna")
    ben = await start_peer("ben", anna.address)
    await anna.wait_connected(ben)
    await anna.tell("keep", peers=[ben.peer_id])
    while not (await anna.tell("snapshot"))["known_addresses"]:
        pass  # ben sends his addresses a moment after he connects
    port = int(ben.address.rpartition(":")[2])

    ben.signal(signal.SIGKILL)
    await anna.wait_event("PeerUnreachable", peer=ben.peer_id)
    seen = len(anna.events)
    await anna.wait_event("PeerUnreachable", start=seen, peer=ben.peer_id)
    back = await start_peer("ben", port=port)

    await anna.wait_connected(back)
