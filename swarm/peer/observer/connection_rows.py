"""ConnectionRows: the connections between peers, as the peers report them, for snapshots."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from swarm.core.ids import PeerId
from swarm.watching.federation.live_state import SeenPeer

Pair = tuple[PeerId, PeerId]
Link = dict[str, PeerId]


class ConnectionRows:
    """The connections that the present peers report.

    A swarm of 500 peers has ten thousand connections, and few of them change at a time. So the
    cost of an update depends on the number of changes only.

    Invariants:
        `links` and its items are replaced, never changed. Each pair occurs once.
        `links` is sorted, and both ends of each link are present peers.
    """

    def __init__(self) -> None:
        self.links: list[Link] = []
        """Pairs of `source` and `target`; the source is the lesser id."""
        self._reported: dict[PeerId, tuple[PeerId, ...]] = {}
        self._num_reports: Counter[Pair] = Counter()
        """For each pair, the number of its ends that report it."""
        self._num_links: Counter[PeerId] = Counter()
        """For each peer, the number of peers that report a connection to it."""
        self._pairs: list[Pair] = []

    def update(self, registry: Mapping[PeerId, SeenPeer]) -> None:
        """Apply the changes since the last update."""
        present = {peer for peer, seen_peer in registry.items() if not seen_peer.gone}
        others_present = present != self._reported.keys()
        changed: list[Pair] = []
        for peer in self._reported.keys() - present:
            changed += self._replace_report(peer, ())
            del self._reported[peer]
        for peer in present:
            status = registry[peer].status
            reported = status.links if status is not None else ()
            before = self._reported.get(peer)
            if before is None or (reported is not before and reported != before):
                changed += self._replace_report(peer, reported)
            self._reported[peer] = reported
        if others_present:
            self._rebuild()
        elif changed:
            links = list(self.links)
            for pair in changed:
                self._insert_or_remove(pair, links)
            self.links = links

    def others(self, known: Collection[PeerId]) -> Iterator[tuple[PeerId, int]]:
        """Yield the peers outside `known` that have connections, with their number."""
        return ((peer, n) for peer, n in self._num_links.items() if peer not in known)

    def _replace_report(self, peer: PeerId, reported: tuple[PeerId, ...]) -> list[Pair]:
        before, now = set(self._reported.get(peer, ())), set(reported)
        for other in before - now:
            self._count(peer, other, -1)
        for other in now - before:
            self._count(peer, other, 1)
        return [_pair(peer, other) for other in before ^ now]

    def _count(self, peer: PeerId, other: PeerId, change: int) -> None:
        pair = _pair(peer, other)
        self._num_reports[pair] += change
        if not self._num_reports[pair]:
            del self._num_reports[pair]
        self._num_links[other] += change
        if not self._num_links[other]:
            del self._num_links[other]

    def _is_present(self, pair: Pair) -> bool:
        return pair[0] in self._reported and pair[1] in self._reported

    def _rebuild(self) -> None:
        known = dict(zip(self._pairs, self.links, strict=True))
        self._pairs = sorted(pair for pair in self._num_reports if self._is_present(pair))
        links = [known.get(pair) or _link(pair) for pair in self._pairs]
        if links != self.links:
            self.links = links

    def _insert_or_remove(self, pair: Pair, links: list[Link]) -> None:
        at = bisect_left(self._pairs, pair)
        listed = at < len(self._pairs) and self._pairs[at] == pair
        wanted = pair in self._num_reports and self._is_present(pair)
        if wanted and not listed:
            self._pairs.insert(at, pair)
            links.insert(at, _link(pair))
        elif listed and not wanted:
            del self._pairs[at]
            del links[at]


def _pair(peer: PeerId, other: PeerId) -> Pair:
    return (peer, other) if peer < other else (other, peer)


def _link(pair: Pair) -> Link:
    return {"source": pair[0], "target": pair[1]}
