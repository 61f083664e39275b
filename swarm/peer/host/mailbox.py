"""Mailbox: events on their way to the machine, and the blobs that they tell of."""

from collections import Counter

import trio

from swarm.core.blobs import BlobRef
from swarm.core.machine import Event
from swarm.federation.effects import brings

CAPACITY = 1024
"""Events waiting for the machine, which takes well under a millisecond for each."""


class Mailbox:
    """A bounded queue of events for one reader.

    Invariant: a blob is among `blobs` from when an event that brings it is posted until that
    event is taken. The machine cannot ask to keep what it has not heard of.
    """

    def __init__(self) -> None:
        self._into, self._out_of = trio.open_memory_channel[Event](CAPACITY)
        self._blobs: Counter[BlobRef] = Counter()

    @property
    def blobs(self) -> frozenset[BlobRef]:
        """Blobs that nobody may delete yet."""
        return frozenset(self._blobs)

    async def post(self, event: Event) -> None:
        """Put an event in the queue; wait while that is full."""
        blob = brings(event)
        if blob is not None:
            self._blobs[blob] += 1
        try:
            await self._into.send(event)
        except BaseException:
            self._forget(blob)
            raise

    async def take(self) -> Event:
        """Take the next event, as soon as there is one."""
        event = await self._out_of.receive()
        self._forget(brings(event))
        return event

    def _forget(self, blob: BlobRef | None) -> None:
        if blob is not None:
            self._blobs[blob] -= 1
            if not self._blobs[blob]:
                del self._blobs[blob]
