"""Types for the names of things, all distinct, so that mypy notices a mix-up."""

from typing import NewType

PeerId = NewType("PeerId", str)
"""libp2p peer id in base58: the hash of the peer's public key, or the key's own bytes."""

SessionId = NewType("SessionId", str)
"""Digest of the canonical encoding of a SessionSpec."""

Digest = NewType("Digest", str)
"""SHA-256 in lowercase hexadecimal: 64 characters."""

RoundNumber = NewType("RoundNumber", int)
"""Number of a FedAvg round; head 0 holds the initial weights."""

Term = NewType("Term", int)
"""Place in a succession: 0 is the aggregator, 1 its first standby, and so on."""

Tier = NewType("Tier", int)
"""Level of the aggregation tree; the members of tier 1 are peers."""

ClusterId = NewType("ClusterId", str)
"""Name of a cluster, derived from its tier and members: an unchanged cluster keeps its name."""

DIGEST_LENGTH = 64


def is_digest(text: str) -> bool:
    """Return whether `text` is a well-formed `Digest`."""
    return len(text) == DIGEST_LENGTH and not set(text) - set("0123456789abcdef")
