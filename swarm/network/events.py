"""What the network reports, in order: messages that arrived, connections that changed."""

from dataclasses import dataclass

from swarm.core.ids import PeerId


class NetworkEvent:
    """Something that happened on the network. Subclasses are frozen dataclasses."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PubsubMessage(NetworkEvent):
    """`sender` published `data` on `topic`, with a valid signature. Never our own messages."""

    topic: str
    sender: PeerId
    """The author; other peers may have relayed the message."""
    data: bytes


@dataclass(frozen=True, slots=True)
class DirectMessage(NetworkEvent):
    """`sender` sent `data` to this peer alone, over a secured connection."""

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
    """`peer` has no open connection, and a dial has just been refused."""

    peer: PeerId
