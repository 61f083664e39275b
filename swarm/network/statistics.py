"""Counters of one network, and an immutable snapshot of them for observers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from swarm.core.ids import PeerId


@dataclass(frozen=True, slots=True)
class NetworkSnapshot:
    """The state of a network at one moment."""

    connected: tuple[PeerId, ...]
    known_addresses: int
    """Peers in the address book."""
    blob_bytes_sent: int
    """Payload of blobs, without framing and encryption."""
    blob_bytes_received: int
    message_bytes_sent: int
    message_bytes_received: int
    messages_sent: int
    """Published and direct messages; those that we relay for others are not counted."""
    messages_received: int
    rejected: Mapping[str, int]
    """Refused input, by reason; docs/edge.md lists the reasons."""

    @property
    def bytes_sent(self) -> int:
        """Payload of blobs and messages."""
        return self.blob_bytes_sent + self.message_bytes_sent

    @property
    def bytes_received(self) -> int:
        """Payload of blobs and messages."""
        return self.blob_bytes_received + self.message_bytes_received


@dataclass(slots=True)
class Statistics:
    """The totals so far; only `swarm.network` writes them."""

    blob_bytes_sent: int = 0
    blob_bytes_received: int = 0
    message_bytes_sent: int = 0
    message_bytes_received: int = 0
    messages_sent: int = 0
    messages_received: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def refuse(self, reason: str, count: int = 1) -> None:
        """Count refused input; `reason` is one of a fixed set of names."""
        self.rejected[reason] += count

    def count_sent(self, data: bytes) -> None:
        """Count one message that we sent."""
        self.messages_sent += 1
        self.message_bytes_sent += len(data)

    def count_received(self, data: bytes) -> None:
        """Count one message that we received."""
        self.messages_received += 1
        self.message_bytes_received += len(data)

    def snapshot(self, connected: tuple[PeerId, ...], known_addresses: int) -> NetworkSnapshot:
        """Return the totals as an immutable value."""
        return NetworkSnapshot(
            connected=connected,
            known_addresses=known_addresses,
            blob_bytes_sent=self.blob_bytes_sent,
            blob_bytes_received=self.blob_bytes_received,
            message_bytes_sent=self.message_bytes_sent,
            message_bytes_received=self.message_bytes_received,
            messages_sent=self.messages_sent,
            messages_received=self.messages_received,
            rejected=dict(self.rejected),
        )
