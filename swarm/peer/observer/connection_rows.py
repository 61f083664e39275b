"""ConnectionRows: who is connected with whom, kept up as peers tell, for pictures."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from swarm.core.ids import PeerId
from swarm.watching.federation.live_state import SeenPeer

Pair = tuple[PeerId, PeerId]
Link = dict[str, PeerId]


class ConnectionRows:
    """What the peers that are here tell of their connections.

    A swarm of 500 has ten thousand of them, and they hardly change: looking costs what changed.

    Invariants:
        `links` is replaced, never changed, and so are those in it; each pair is in it once.
        `links` are sorted, and both ends of each are here.
    """

    def __init__(self) -> None:
        self.links: list[Link] = []
        """As `source` and `target`, of which the source is the lesser id."""
        self._told: dict[PeerId, tuple[PeerId, ...]] = {}
        self._tellers: Counter[Pair] = Counter()
        """Of each pair, how many of its ends tell of it."""
        self._named: Counter[PeerId] = Counter()
        """How many peers tell that they are connected with this one."""
        self._pairs: list[Pair] = []

    def update(self, registry: Mapping[PeerId, SeenPeer]) -> None:
        """See what changed since the last look."""
        here = {peer for peer, seen_peer in registry.items() if not seen_peer.gone}
        anew = here != self._told.keys()
        changed: list[Pair] = []
        for peer in self._told.keys() - here:
            changed += self._retell(peer, ())
            del self._told[peer]
        for peer in here:
            status = registry[peer].status
            told = status.links if status is not None else ()
            before = self._told.get(peer)
            if before is None or (told is not before and told != before):
                changed += self._retell(peer, told)
            self._told[peer] = told
        if anew:
            self._begin_anew()
        elif changed:
            links = list(self.links)
            for pair in changed:
                self._place(pair, links)
            self.links = links

    def others(self, known: Collection[PeerId]) -> Iterator[tuple[PeerId, int]]:
        """Those that peers are connected with and that are not known, and with how many."""
        return ((peer, n) for peer, n in self._named.items() if peer not in known)

    def _retell(self, peer: PeerId, told: tuple[PeerId, ...]) -> list[Pair]:
        before, now = set(self._told.get(peer, ())), set(told)
        for other in before - now:
            self._count(peer, other, -1)
        for other in now - before:
            self._count(peer, other, 1)
        return [_pair(peer, other) for other in before ^ now]

    def _count(self, peer: PeerId, other: PeerId, change: int) -> None:
        pair = _pair(peer, other)
        self._tellers[pair] += change
        if not self._tellers[pair]:
            del self._tellers[pair]
        self._named[other] += change
        if not self._named[other]:
            del self._named[other]

    def _is_seen(self, pair: Pair) -> bool:
        return pair[0] in self._told and pair[1] in self._told

    def _begin_anew(self) -> None:
        known = dict(zip(self._pairs, self.links, strict=True))
        self._pairs = sorted(pair for pair in self._tellers if self._is_seen(pair))
        links = [known.get(pair) or _link(pair) for pair in self._pairs]
        if links != self.links:
            self.links = links

    def _place(self, pair: Pair, links: list[Link]) -> None:
        """Put a pair in its place, or take it out."""
        at = bisect_left(self._pairs, pair)
        placed = at < len(self._pairs) and self._pairs[at] == pair
        wanted = pair in self._tellers and self._is_seen(pair)
        if wanted and not placed:
            self._pairs.insert(at, pair)
            links.insert(at, _link(pair))
        elif placed and not wanted:
            del self._pairs[at]
            del links[at]


def _pair(peer: PeerId, other: PeerId) -> Pair:
    return (peer, other) if peer < other else (other, peer)


def _link(pair: Pair) -> Link:
    return {"source": pair[0], "target": pair[1]}
