"""MessageKind: how a workload declares one kind of message, so that the wire knows no workload.

Each deciding package lists its kinds in a table, `MESSAGE_KINDS`. The host makes one codec from
all of these tables.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from swarm.core.ids import Digest, PeerId
from swarm.core.machine import Event


class SignedRecord(Protocol):
    """A record that carries its author's signature, so that any peer may pass it on."""

    author: PeerId
    signature: bytes
    """The author's signature over `digest`."""
    digest: Digest
    """Digest of the record without its signature."""


def _no_records(message: Any) -> tuple[SignedRecord, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class MessageKind:
    """One kind of message: its name on the wire, its class, and how the wire treats it."""

    name: str
    message: type[Event]
    """A dataclass; its annotations are the schema of the body."""
    sender_field: str = "sender"
    """The field that holds the sender. It does not travel: libp2p authenticates the sender."""
    signed_records: Callable[[Any], tuple[SignedRecord, ...]] = _no_records
    """Lists the records in a message whose signatures must be verified."""
