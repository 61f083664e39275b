"""Effects of all workloads: messages, topics, connections, blobs; and the events that answer."""

from dataclasses import dataclass

from swarm.core.blobs import BlobRef
from swarm.core.ids import PeerId
from swarm.core.machine import Effect, Event


@dataclass(frozen=True, slots=True)
class Subscribe(Effect):
    """Receive what is published on `topic`."""

    topic: str


@dataclass(frozen=True, slots=True)
class Unsubscribe(Effect):
    """Stop receiving what is published on `topic`."""

    topic: str


@dataclass(frozen=True, slots=True)
class Publish(Effect):
    """Send `message` to every subscriber of `topic`; delivery is not guaranteed."""

    topic: str
    message: Event
    attach: BlobRef | None = None
    """A small blob that travels in the message; receivers store it before they handle that."""


@dataclass(frozen=True, slots=True)
class Send(Effect):
    """Send `message` to one peer; delivery is not guaranteed."""

    peer: PeerId
    message: Event


@dataclass(frozen=True, slots=True)
class KeepConnected(Effect):
    """Keep connections to these peers and redial the lost ones; replaces the earlier set."""

    peers: tuple[PeerId, ...]


@dataclass(frozen=True, slots=True)
class FetchBlob(Effect):
    """Fetch a blob; answered by `BlobArrived` or `BlobMissing`. Asking twice is harmless."""

    blob: BlobRef
    holders: tuple[PeerId, ...]
    """Peers to ask, in this order."""
    wait_s: float
    """Longest wait, in seconds, at a holder that is still fetching the blob itself."""


@dataclass(frozen=True, slots=True)
class KeepBlobs(Effect):
    """Delete every blob but these."""

    blobs: frozenset[BlobRef]


@dataclass(frozen=True, slots=True)
class BlobArrived(Event):
    """The blob is in our store, verified."""

    blob: BlobRef


@dataclass(frozen=True, slots=True)
class BlobMissing(Event):
    """No holder delivered the blob."""

    blob: BlobRef
    reason: str


@dataclass(frozen=True, slots=True)
class PeerConnected(Event):
    """A secured connection to `peer` is open."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class PeerUnreachable(Event):
    """The connection to `peer` closed and a redial was refused."""

    peer: PeerId
