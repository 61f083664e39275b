"""Names of things: distinct types, so that mypy catches a mix-up."""

from typing import NewType

PeerId = NewType("PeerId", str)
"""libp2p peer ID, base58: the hash or the inlined bytes of the peer's public key."""

SessionId = NewType("SessionId", str)
"""Digest of a SessionSpec's canonical encoding."""

Digest = NewType("Digest", str)
"""SHA-256 in lowercase hexadecimal: 64 characters."""

RoundNumber = NewType("RoundNumber", int)
"""Label of a FedAvg round; head 0 holds the initial weights."""

Term = NewType("Term", int)
"""Place of an author in a succession: 0 is the aggregator, 1 its first standby, and so on."""

Tier = NewType("Tier", int)
"""Level of the aggregation tree; tier 1 is made of peers."""

ClusterId = NewType("ClusterId", str)
"""Names a cluster by its tier and members, so an unchanged cluster keeps its name."""

DIGEST_LENGTH = 64


def is_digest(text: str) -> bool:
    """Say whether `text` is a well-formed `Digest`."""
    return len(text) == DIGEST_LENGTH and not set(text) - set("0123456789abcdef")
