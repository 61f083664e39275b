"""Types for the names of things, all distinct, so that mypy notices a mix-up."""

import re
from collections.abc import Callable, Sequence
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
_INLINED_PEER_ID = re.compile(r"12D3KooW[1-9A-HJ-NP-Za-km-z]{44}")


def is_digest(text: str) -> bool:
    """Return whether `text` is a well-formed `Digest`."""
    return len(text) == DIGEST_LENGTH and not set(text) - set("0123456789abcdef")


def listed(names: Sequence[str], most: int = 2) -> str:
    """Return names as a person lists them; of many only the first, and how many more there are.

    Example:
        >>> listed(["peer-1", "peer-2"]), listed(["peer-1", "peer-2", "peer-3", "peer-4"])
        ('peer-1 and peer-2', 'peer-1, peer-2 and 2 others')
    """
    shown = list(names[:most])
    more = len(names) - len(shown)
    if more:
        shown.append(f"{more} others" if more > 1 else "another peer")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def with_names(text: str, name_of: Callable[[PeerId], str]) -> str:
    """Return `text` with each peer id in it replaced by the peer's name.

    Example:
        >>> with_names("12D3KooW" + "A" * 44 + " left", lambda _: "peer-3")
        'peer-3 left'
    """
    return _INLINED_PEER_ID.sub(lambda match: name_of(PeerId(match[0])), text)
