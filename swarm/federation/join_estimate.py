"""Join estimate: how many peers ask to join, estimated from a sample that fits in a message."""

import hashlib
import heapq
from collections.abc import Iterable

from swarm.core.ids import PeerId
from swarm.core.session import COHORT_MAX

_SPAN = 2**64


def sample(peers: Iterable[PeerId], size_max: int = COHORT_MAX) -> tuple[PeerId, ...]:
    """The peers of least hash, in order of their ids. A sample of samples is a sample of all."""
    return tuple(sorted(heapq.nsmallest(size_max, set(peers), key=_rank)))


def estimate(sampled: Iterable[PeerId], size_max: int = COHORT_MAX) -> float:
    """Estimate from how many peers a sample of at most `size_max` was taken.

    Exact below `size_max`, within some percent from there on: among n evenly spread hashes the
    k-th least is about k / n of the span.

    Source:
        Bar-Yossef et al. 2002, "Counting distinct elements in a data stream" (k minimum values).
    """
    ranks = [_rank(peer) for peer in sampled]
    if len(ranks) < size_max:
        return len(ranks)
    return (len(ranks) - 1) * _SPAN / max(ranks)


def _rank(peer: PeerId) -> int:
    digest = hashlib.sha256(f"joiner\0{peer}".encode()).digest()
    return int.from_bytes(digest[:8], "big") + 1
