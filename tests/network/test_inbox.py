import trio
import trio.testing

from swarm.core.ids import PeerId
from swarm.network.events import DirectMessage, PeerConnected, PubsubMessage
from swarm.network.inbox import BYTES_MAX, CAPACITY, Inbox
from swarm.network.statistics import Statistics

ANNA = PeerId("anna")


async def taken_from(inbox):
    events = []

    async def take(event):
        events.append(event)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.deliver_forever, take)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return events


async def test_events_come_in_order():
    inbox = Inbox(Statistics())
    events = [PeerConnected(ANNA), PubsubMessage("t", ANNA, b"1"), DirectMessage(ANNA, b"2")]

    for event in events:
        inbox.put(event)

    assert await taken_from(inbox) == events


async def test_a_full_inbox_drops_the_oldest_published_message_first():
    statistics = Statistics()
    inbox = Inbox(statistics)
    inbox.put(PeerConnected(ANNA))
    inbox.put(DirectMessage(ANNA, b"kept"))
    for number in range(CAPACITY):
        inbox.put(PubsubMessage("t", ANNA, b"%d" % number))

    events = await taken_from(inbox)

    assert len(events) == CAPACITY
    assert events[:3] == [
        PeerConnected(ANNA),
        DirectMessage(ANNA, b"kept"),
        PubsubMessage("t", ANNA, b"2"),
    ]
    assert statistics.rejected == {"inbox-full": 2}


async def test_a_flood_displaces_itself_and_no_other_sender():
    statistics = Statistics()
    inbox = Inbox(statistics)
    quiet = DirectMessage(PeerId("quiet"), b"kept")
    inbox.put(quiet)
    for _ in range(200):
        inbox.put(DirectMessage(ANNA, bytes(256 * 1024)))

    events = await taken_from(inbox)

    assert events[0] == quiet
    assert sum(len(event.data) for event in events) <= BYTES_MAX
    assert statistics.rejected["inbox-full"] == 201 - len(events)
