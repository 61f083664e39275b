"""Durations: what follows from how long peers trained."""

import itertools
import statistics
from collections.abc import Iterable, Mapping

from swarm.core.ids import PeerId, Tier
from swarm.core.session import SessionSpec
from swarm.federation.messages import GlobalModel

SLOW_FACTOR = 2.0
"""A peer whose training took longer than so many times the median takes no duty."""
DEADLINE_FACTOR = 4.0
"""The deadline leaves a peer so many times the median duration ..."""
DEADLINE_MARGIN_S = 5.0
"""... and so much on top for messages and blobs."""
DURATIONS_REMEMBERED = 16
"""Heads to look back for how long a peer took last time."""
TIER_MARGIN_S = 3.0
"""Each tier waits so much longer than the one below it."""


def slow_peers(durations_s: Mapping[PeerId, float]) -> tuple[PeerId, ...]:
    """Peers whose training took over twice the median, in order of their ids."""
    if len(durations_s) < 3:
        return ()  # of two durations, neither is an outlier
    limit_s = SLOW_FACTOR * statistics.median(durations_s.values())
    return tuple(sorted(p for p, duration_s in durations_s.items() if duration_s > limit_s))


def deadline_after_s(base: GlobalModel, tier: Tier, spec: SessionSpec) -> float:
    """Seconds from the adoption of `base` to the deadline of a tier, from the durations in it."""
    extra_s = (tier - 1) * TIER_MARGIN_S
    if base.typical_duration_s is None:
        return spec.deadline_first_s + extra_s
    adapted_s = DEADLINE_FACTOR * base.typical_duration_s + DEADLINE_MARGIN_S
    return max(spec.deadline_min_s, adapted_s) + extra_s


def hopeless_peers(
    peers: Iterable[PeerId], past: Iterable[GlobalModel], limit_s: float
) -> frozenset[PeerId]:
    """Peers that will miss the deadline if they take as long as last time.

    Nobody waits for them; what they finish later is folded in as stale.

    Args:
        peers: Whom to judge.
        past: The head of the round and its ancestors, newest first.
        limit_s: Seconds that a peer has for its training.
    """
    unjudged, hopeless = set(peers), set()
    for head in itertools.islice(past, DURATIONS_REMEMBERED):
        judged = unjudged & head.durations_s.keys()
        hopeless |= {peer for peer in judged if head.durations_s[peer] > limit_s}
        unjudged -= judged
        if not unjudged:
            break
    return frozenset(hopeless)
