"""Inbox: the bounded queue between libp2p's tasks and the consumer of events."""

from collections import Counter, deque
from collections.abc import Awaitable, Callable

import trio

from swarm.core.ids import PeerId
from swarm.network.events import DirectMessage, NetworkEvent, PubsubMessage
from swarm.network.statistics import Statistics

CAPACITY = 1024
"""Events; with six peers and two messages a second of each, a consumer may stall for 85 s."""
BYTES_MAX = 16 * 1024 * 1024
"""Payload bytes of all messages; 64 of the largest ones."""
_EVENT_BYTES = 256
"""Bytes that a message takes besides its payload."""


class Inbox:
    """Holds events until they are delivered; `put` never waits.

    When it is full, the sender with the most bytes in it makes room, so that a flood displaces
    itself. Its oldest published message is dropped first, because pubsub loses messages anyway and
    everything published is repeated; then its oldest direct message. Connection events are never
    dropped: there are only a few per peer.
    """

    def __init__(self, statistics: Statistics) -> None:
        self._events: deque[NetworkEvent] = deque()
        self._arrived = trio.Event()
        self._statistics = statistics
        self._shares: Counter[PeerId] = Counter()

    def put(self, event: NetworkEvent) -> None:
        """Queue `event`; drop messages if the inbox is full."""
        self._events.append(event)
        self._account(event, 1)
        while len(self._events) > CAPACITY or self._shares.total() > BYTES_MAX:
            if not self._shares:
                break
            self._drop_one(max(self._shares, key=lambda sender: self._shares[sender]))
        self._arrived.set()

    async def deliver_forever(self, deliver: Callable[[NetworkEvent], Awaitable[None]]) -> None:
        """Deliver the events one at a time, in order, until cancelled."""
        while True:
            while self._events:
                event = self._events.popleft()
                self._account(event, -1)
                await deliver(event)
            self._arrived = trio.Event()
            await self._arrived.wait()

    def _account(self, event: NetworkEvent, sign: int) -> None:
        if isinstance(event, PubsubMessage | DirectMessage):
            self._shares[event.sender] += sign * (len(event.data) + _EVENT_BYTES)
            if not self._shares[event.sender]:
                del self._shares[event.sender]

    def _drop_one(self, sender: PeerId) -> None:
        for kind in (PubsubMessage, DirectMessage):
            for place, event in enumerate(self._events):
                if isinstance(event, kind) and event.sender == sender:
                    del self._events[place]
                    self._account(event, -1)
                    self._statistics.refuse("inbox-full")
                    return
