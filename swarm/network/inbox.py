"""Inbox: the bounded queue between libp2p's tasks and whoever takes the events."""

from collections import deque
from collections.abc import Awaitable, Callable

import trio

from swarm.network.events import DirectMessage, NetworkEvent, PubsubMessage
from swarm.network.statistics import Statistics

CAPACITY = 1024
"""Events; at six peers with two messages a second each, a consumer may stall for 85 s."""


class Inbox:
    """Holds events until they are delivered; putting never waits.

    When full, the oldest pubsub message makes room (pubsub loses messages anyway and everything
    on it is repeated), then the oldest direct message. Connection events are never dropped: there
    are a few per peer.
    """

    def __init__(self, statistics: Statistics) -> None:
        self._events: deque[NetworkEvent] = deque()
        self._arrived = trio.Event()
        self._statistics = statistics

    def put(self, event: NetworkEvent) -> None:
        """Queue `event`."""
        self._events.append(event)
        if len(self._events) > CAPACITY:
            self._drop_one()
        self._arrived.set()

    async def deliver_forever(self, deliver: Callable[[NetworkEvent], Awaitable[None]]) -> None:
        """Hand over events one at a time, in order."""
        while True:
            while self._events:
                await deliver(self._events.popleft())
            self._arrived = trio.Event()
            await self._arrived.wait()

    def _drop_one(self) -> None:
        for kind in (PubsubMessage, DirectMessage):
            for place, event in enumerate(self._events):
                if isinstance(event, kind):
                    del self._events[place]
                    self._statistics.refuse("inbox-full")
                    return
