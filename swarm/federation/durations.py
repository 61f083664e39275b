"""Durations: deadlines, slow peers and stragglers, from how long training and transfers took.

A head says for each contributor how long it trained (`duration_s`) and how long weights were on
the network for it (`transfer_s`): those of its base to the peer, and its own to the peer that
combined them. Their sum is the peer's duration. From these records every peer derives the same
answers, without measuring anything itself:

deadline     when a tier stops waiting for peers that show no work: a multiple of the median
latest       when it stops waiting for peers that work: a multiple of what a quorum needed
slow         takes no duty: over twice the median duration, or a slow link
straggler    the round does not wait for it: it would miss the deadline, or has a slow link

Slow computers and slow links are judged apart. The deadline leaves room for slow computers,
because their work is worth the wait. Waiting for a slow link costs the time of all peers and adds
no work. The deadline and the limit for links use low medians: half of the peers or fewer cannot
stretch them.
"""

import itertools
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from swarm.core.ids import PeerId, Tier
from swarm.core.session import SessionSpec
from swarm.federation.records import GlobalModel

SLOW_FACTOR = 2.0
"""A peer is slow if its duration exceeds this multiple of the median."""
DEADLINE_FACTOR = 4.0
"""The deadline is this multiple of the median duration ..."""
DEADLINE_MARGIN_S = 5.0
"""... plus this many seconds for messages and blobs."""
FIRST_FACTOR = 8.0
"""While no duration is known, a peer that works may take this multiple of what a quorum took:
machines of one swarm may differ by this much."""
LINK_FACTOR = 4.0
"""A link is slow if its transfer time exceeds this multiple of the median ..."""
LINK_MARGIN_S = 1.0
"""... plus this many seconds, which a busy machine or a lost packet may cost."""
DURATIONS_REMEMBERED = 128
"""Number of heads to look back for a peer's last duration."""
TIER_MARGIN_S = 3.0
"""Each tier waits this much longer than the one below it."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a cluster stops waiting in one round.

    Peers that visibly work are waited for beyond the deadline, but not without end. The limit is a
    multiple of the time that others needed, as this peer saw it. So neither a peer that pretends
    to work nor a false claim can move it.
    """

    began_s: float
    """When the round began here."""
    due_s: float
    timed: bool = True
    """Whether durations of training are known."""

    def latest_s(self, quorum_s: float) -> float:
        """When the cluster closes without members that still work.

        Args:
            quorum_s: When a quorum of the members had announced their work.
        """
        factor = DEADLINE_FACTOR if self.timed else FIRST_FACTOR
        return max(self.due_s, self._after(factor, quorum_s))

    def takeover_s(self, quorum_s: float, ready_s: float, progressed_s: float) -> float:
        """From when on a silent aggregator may be replaced.

        It can be expected to be done neither before the deadline nor before its inputs are there.
        While it gets on with them it is left alone, up to a limit.

        Args:
            quorum_s: When a quorum of the members had announced their work.
            ready_s: When all that have to be waited for had announced it.
            progressed_s: When the aggregator's progress grew last.
        """
        working_s = min(progressed_s, self._after(DEADLINE_FACTOR, quorum_s))
        return max(self.due_s, ready_s, working_s)

    def later(self, length_s: float) -> "Deadline":
        """The same after a pause of this length."""
        return replace(self, began_s=self.began_s + length_s, due_s=self.due_s + length_s)

    def _after(self, factor: float, event_s: float) -> float:
        return self.began_s + factor * (event_s - self.began_s) + DEADLINE_MARGIN_S


def slow_peers(head: GlobalModel, source: PeerId | None) -> frozenset[PeerId]:
    """Contributors whose duration is over twice the median, or whose link is slow.

    If an aggregator's link is slow, all work of its cluster passes it twice.

    Args:
        head: Says how long its contributors took.
        source: The peer that gave out the weights from which the contributors began.
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
    """Seconds from the adoption of `base` to a tier's deadline, from the durations in it."""
    extra_s = (tier - 1) * TIER_MARGIN_S
    if base.typical_duration_s is None:
        bounded_s = DEADLINE_FACTOR * spec.round_seconds + DEADLINE_MARGIN_S
        return max(spec.deadline_first_s, bounded_s) + extra_s
    adapted_s = DEADLINE_FACTOR * base.typical_duration_s + DEADLINE_MARGIN_S
    return max(spec.deadline_min_s, adapted_s) + extra_s


def stragglers(
    peers: Iterable[PeerId], past: Iterable[GlobalModel], limit_s: float
) -> frozenset[PeerId]:
    """Peers that will miss the deadline, or have a slow link, if they do as last time.

    The round does not wait for them. Their work counts all the same if it is in time, and as a
    stale contribution if it is late.

    Args:
        peers: The peers to judge.
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
    """Transfer seconds by contributor, with the wait that all share attributed to the source.

    Otherwise a root with a slow link would be the only peer that looks fast. The second least wait
    counts, where there are three: one peer that waited less, because it has the weights from
    elsewhere or lies, does not hide that the others waited.
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
