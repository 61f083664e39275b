"""Durations: what follows from how long peers trained, and their weights were on the way."""

import itertools
import statistics
from collections.abc import Iterable, Mapping

from swarm.core.ids import PeerId, Tier
from swarm.core.session import SessionSpec
from swarm.federation.records import GlobalModel

SLOW_FACTOR = 2.0
"""A peer that took longer than so many times the median takes no duty."""
DEADLINE_FACTOR = 4.0
"""The deadline leaves a peer so many times the median duration ..."""
DEADLINE_MARGIN_S = 5.0
"""... and so much on top for messages and blobs."""
LINK_FACTOR = 4.0
"""Nobody waits for, or leaves a duty to, whose weights took over so many times the median ..."""
LINK_MARGIN_S = 1.0
"""... and so much on top, which a busy machine or a lost packet may cost."""
DURATIONS_REMEMBERED = 128
"""Heads to look back for how long a peer took last time."""
TIER_MARGIN_S = 3.0
"""Each tier waits so much longer than the one below it."""


def slow_peers(head: GlobalModel, source: PeerId | None) -> frozenset[PeerId]:
    """Contributors whose training and transfers took over twice the median, or with a slow link.

    The work of an aggregator with a slow link passes it twice more, and so does everybody's.

    Args:
        head: Says how long everybody took.
        source: Who gave out the weights that the contributors began from.
    """
    durations_s, transfers_s = head.durations_s, _attributed(head, source)
    if len(durations_s) < 3:
        return frozenset()  # of two durations, neither is an outlier
    limit_s = SLOW_FACTOR * statistics.median(durations_s.values())
    link_limit_s = _link_limit_s(transfers_s)
    return frozenset(
        peer
        for peer in durations_s
        if durations_s[peer] > limit_s or transfers_s[peer] > link_limit_s
    )


def deadline_after_s(base: GlobalModel, tier: Tier, spec: SessionSpec) -> float:
    """Seconds from the adoption of `base` to the deadline of a tier, from the durations in it."""
    extra_s = (tier - 1) * TIER_MARGIN_S
    if base.typical_duration_s is None:
        return spec.deadline_first_s + extra_s
    adapted_s = DEADLINE_FACTOR * base.typical_duration_s + DEADLINE_MARGIN_S
    return max(spec.deadline_min_s, adapted_s) + extra_s


def stragglers(
    peers: Iterable[PeerId], past: Iterable[GlobalModel], limit_s: float
) -> frozenset[PeerId]:
    """Peers that will miss the deadline, or have a slow link, if they do as last time.

    Nobody waits for them. What comes in time counts all the same, what comes later is folded in
    as stale. A slow link has a limit of its own: the deadline leaves room for slow computers,
    whom it pays to wait for; but waiting for a link costs everybody's time and nobody's work.

    Args:
        peers: Whom to judge.
        past: The head of the round and its ancestors, newest first.
        limit_s: Seconds that a peer has for its training and transfers.
    """
    unjudged, late = set(peers), set()
    for head in itertools.islice(past, DURATIONS_REMEMBERED):
        judged = unjudged & head.durations_s.keys()
        link_limit_s = _link_limit_s(head.transfers_s)
        late |= {
            peer
            for peer in judged
            if head.durations_s[peer] > limit_s or head.transfers_s[peer] > link_limit_s
        }
        unjudged -= judged
        if not unjudged:
            break
    return frozenset(late)


def _attributed(head: GlobalModel, source: PeerId | None) -> dict[PeerId, float]:
    """Transfers by contributor; what everybody had to wait for is the source's share.

    Otherwise a root with a slow link would be the only one that looks fast. One that says that it
    waited less (it has the weights from elsewhere, or lies) does not hide the others' waiting.
    """
    transfers_s = dict(head.transfers_s)
    served = {c.peer for c in head.contributors if c.base == head.parent and c.peer != source}
    if source in transfers_s and len(served) > 1:
        least_s, *rest_s = sorted(transfers_s[peer] for peer in served)
        share_s = rest_s[0] if len(rest_s) > 1 else least_s
        transfers_s |= {peer: max(0.0, transfers_s[peer] - share_s) for peer in served}
        transfers_s[source] += share_s
    return transfers_s


def _link_limit_s(transfers_s: Mapping[PeerId, float]) -> float:
    typical_s = statistics.median_low(transfers_s.values()) if transfers_s else 0.0
    return LINK_FACTOR * typical_s + LINK_MARGIN_S
