"""What the network reports: messages and connections, in the order they happened."""

from dataclasses import dataclass

from swarm.core.ids import PeerId


class NetworkEvent:
    """Something the network saw. Subclasses are frozen dataclasses."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PubsubMessage(NetworkEvent):
    """`sender` published `data` on `topic`; its signature is checked. Never our own messages."""

    topic: str
    sender: PeerId
    """The author, however many peers relayed it."""
    data: bytes


@dataclass(frozen=True, slots=True)
class DirectMessage(NetworkEvent):
    """`sender`, at the other end of a secured connection, sent `data` to us alone."""

    sender: PeerId
    data: bytes


@dataclass(frozen=True, slots=True)
class PeerConnected(NetworkEvent):
    """The first connection to `peer` is open."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class PeerDisconnected(NetworkEvent):
    """The last connection to `peer` closed."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class PeerUnreachable(NetworkEvent):
    """`peer` has no open connection and a dial failed just now."""

    peer: PeerId
